"""A picamera2 without a Pi: it can be called as picamera2_api.json says, and otherwise fails as the real one does.

The description is generated from picamera2's source; what is written here is only how the few methods that ronde calls
behave. A method that exists there and not here says so; a name that exists here and not there is an error of the double.
"""

import ast
import inspect
import json
import threading
import time
from collections.abc import Callable
from concurrent.futures import CancelledError, Future
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType

import numpy as np
from PIL import Image

API = json.loads(Path(__file__).with_name("picamera2_api.json").read_text(encoding="utf-8"))
FORMATS = {"YUV420"}
ROWS_END_AT = 64
"""A row's bytes are padded to a multiple of this, with anything."""
PADDING = 7


class ColorSpace:
    """libcamera's, of which one is wanted."""

    @staticmethod
    def Sycc():  # noqa: N802 - libcamera's name
        return ColorSpace()


@dataclass
class Scene:
    """What stands before the camera and what becomes of it; shared by all cameras opened in a test."""

    colour: tuple[int, int, int] = (200, 100, 50)
    models: tuple[str, ...] = ("imx708",)
    focus: bool = False
    channels: bool = True
    shortest_frame_us: int = 17_000
    wanted_exposure_us: int = 30_000
    stall_after: int | None = None  # requests that one camera hands out before it falls silent
    late_after_stall: bool = False
    fails_reading: bool = False
    without_time: bool = False
    given_size: tuple[int, int] | None = None
    opened: list = field(default_factory=list)
    handed: list = field(default_factory=list)
    flushed: threading.Event = field(default_factory=threading.Event)

    @property
    def unreleased(self) -> int:
        """Requests that a caller took and has not given back."""
        return sum(request.ref_count > 0 for request in self.handed)


def signature_of(parameters: list) -> inspect.Signature:
    """A described method's signature; a default that is no literal is its source text."""
    empty = inspect.Parameter.empty
    return inspect.Signature(
        [
            inspect.Parameter(name, getattr(inspect.Parameter, kind), default=empty if default is None else literal(default))
            for name, kind, default in parameters
        ]
    )


def literal(source: str) -> object:
    """The value of a default."""
    try:
        return ast.literal_eval(source)
    except ValueError:
        return source


def described(behaviour: type) -> type:
    """Hold a class to the description of the same name."""
    api = API["classes"][behaviour.__name__]
    invented = {name for name in vars(behaviour) if not name.startswith("_")} - set(api["methods"]) - set(api["attributes"])
    assert not invented, f"the double's {behaviour.__name__} has what the real one has not: {invented}"
    for name, method in api["methods"].items():
        if method["kind"] != "property":
            call = checked(behaviour, name, signature_of(method["parameters"]))
            setattr(behaviour, name, staticmethod(call) if method["kind"] == "static" else call)
    return behaviour


def checked(behaviour: type, name: str, signature: inspect.Signature) -> Callable[..., object]:
    """The method `name`, which takes what the real one takes, and of it uses what the behaviour wants."""
    own = vars(behaviour).get(name)
    function = own.__func__ if isinstance(own, staticmethod) else own
    wanted = inspect.signature(function).parameters if function else {}
    everything = any(parameter.kind is inspect.Parameter.VAR_KEYWORD for parameter in wanted.values())
    assert everything or set(wanted) <= set(signature.parameters), f"{behaviour.__name__}.{name} invents parameters"

    def call(*args, **kwargs):
        bound = signature.bind(*args, **kwargs)
        bound.apply_defaults()
        if function is None:
            raise NotImplementedError(f"the double of picamera2 has no behaviour for {behaviour.__name__}.{name}")
        return function(**{each: value for each, value in bound.arguments.items() if everything or each in wanted})

    return call


@described
class Job:
    """Waits for the event loop to do something with the next frames."""

    def __init__(self, functions, signal_function):
        self._functions = list(functions)
        self._future = Future()
        self._signal_function = signal_function

    def execute(self):
        while self._functions:
            done, self._result = self._functions[0]()
            if not done:
                return False
            self._functions.pop(0)
        return True

    def signal(self):
        self._future.set_result(self._result)
        if self._signal_function:
            self._signal_function(self)

    def get_result(self, timeout):
        return self._future.result(timeout=timeout)

    def cancel(self):
        self._future.set_exception(CancelledError())


@described
class CompletedRequest:
    """One frame, which its holders must release."""

    def __init__(self, request, picam2):
        self.request = request
        self.picam2 = picam2
        self.ref_count = 1

    def release(self):
        self.ref_count -= 1
        if self.ref_count < 0:
            raise RuntimeError("CompletedRequest: lock now has negative ref_count")

    def get_metadata(self):
        self._must_be_held()
        return dict(self.request)

    def make_buffer(self, name):
        self._must_be_held()
        if name != "main":
            raise RuntimeError(f"Stream {name!r} is not defined")
        if self.picam2._scene.fails_reading:
            raise RuntimeError("failed to find buffer")
        config = self.picam2.camera_config[name]
        (width, height), stride = config["size"], config["stride"]
        colours = Image.new("RGB", (1, 1), self.picam2._scene.colour).convert("YCbCr").getpixel((0, 0))
        rows, columns = (height, height // 2, height // 2), (width, width // 2, width // 2)
        planes = [np.full((count, stride * wide // width), PADDING, np.uint8) for count, wide in zip(rows, columns, strict=True)]
        for plane, wide, value in zip(planes, columns, colours, strict=True):
            plane[:, :wide] = value
        return np.concatenate([plane.ravel() for plane in planes])

    def _must_be_held(self):
        assert self.ref_count > 0, "a request is read after its release"


class Picamera2:
    """The camera. `_scene` is set by `module_for`."""

    _scene: Scene

    def __init__(self, camera_num, tuning):
        if camera_num >= len(self._scene.models):
            raise RuntimeError("Camera __init__ sequence did not complete.") from RuntimeError("No camera number 0 found")
        self._tuning = tuning
        self._taken = 0
        self._job_list = []
        self._stopped = threading.Event()
        self._poked = threading.Event()
        self._thread = None
        self.lock = threading.Lock()
        self.completed_requests = []
        self.camera_config = {}
        self.is_open = True
        self._scene.opened.append(self)

    @staticmethod
    def global_camera_info():
        models = Picamera2._scene.models
        return [{"Model": model, "Location": 2, "Rotation": 0, "Id": f"/{model}", "Num": n} for n, model in enumerate(models)]

    @staticmethod
    def load_tuning_file(tuning_file):
        if tuning_file.removesuffix(".json") not in Picamera2._scene.models:
            raise RuntimeError("Tuning file not found")
        modes = {"exposure_modes": {"normal": {"shutter": [100, 30000, 66666], "gain": [1.0, 1.0, 16.0]}}}
        agc = {"channels": [modes]} if Picamera2._scene.channels else modes
        return {"version": 2.0, "algorithms": [{"rpi.dpc": {}}, {"rpi.agc": agc}]}

    @staticmethod
    def find_tuning_algo(tuning, name):
        return next(algorithm for algorithm in tuning["algorithms"] if name in algorithm)[name]

    @property
    def camera_controls(self):
        focus = {"AfMode": (0, 2, 0), "LensPosition": (0.0, 32.0, 1.0)} if self._scene.focus else {}
        return {
            "FrameDurationLimits": (self._scene.shortest_frame_us, 1_000_000, 33333),
            "ExposureTime": (1, 66666, None),
        } | focus

    def create_video_configuration(self, **given):
        for stream in (given["display"], given["encode"]):
            if stream is not None and given.get(stream) is None:
                raise RuntimeError(f"Display stream {stream} was not defined")
        main = {"format": "XBGR8888", "size": (1280, 720), "preserve_ar": True} | given["main"]
        return given | {"main": main, "controls": {"FrameDurationLimits": (33333, 33333)} | given["controls"]}

    def configure(self, camera_config):
        main = camera_config["main"]
        if not isinstance(camera_config["colour_space"], ColorSpace):
            raise RuntimeError("Colour space has incorrect type")  # noqa: TRY004 - as the real one
        if main["format"] not in FORMATS:
            raise RuntimeError("Bad format " + main["format"] + " in stream main")
        if any(side % 2 for side in main["size"]):
            raise RuntimeError("width and height should be even")
        for name in camera_config["controls"]:
            if name not in self.camera_controls:
                raise RuntimeError(f"Control {name} is not advertised by libcamera")
        size = self._scene.given_size or main["size"]
        given = main | {"size": size, "stride": -(-size[0] // ROWS_END_AT) * ROWS_END_AT}
        self.camera_config = camera_config | {"main": given}

    def stream_configuration(self, name):
        return self.camera_config[name]

    def start(self):
        if not self.camera_config:
            raise RuntimeError("Camera has not been configured")
        self._thread = threading.Thread(target=self._event_loop, daemon=True)
        self._thread.start()

    def capture_request(self, wait, signal_function):
        job = Job([self._pop_request], signal_function)
        with self.lock:
            self._job_list.append(job)
            if self.completed_requests:
                self._poked.set()
        if wait is None:
            wait = signal_function is None
        return job.get_result(timeout=None if wait is True else wait) if wait else job

    def wait(self, job, timeout):
        return job.get_result(timeout=timeout)

    def cancel_all_and_flush(self):
        if self._scene.late_after_stall:
            # The frame comes between the caller's timeout and this.
            self._frame()
        with self.lock:
            for job in self._job_list:
                job.cancel()
            self._job_list = []
        self._scene.flushed.set()

    def close(self):
        self._stopped.set()
        self._poked.set()
        if self._thread is not None:
            self._thread.join()
        self._let_go()
        self.is_open = False

    def _event_loop(self):
        frame_s = self.camera_config["controls"]["FrameDurationLimits"][0] / 1e6
        due_s = time.monotonic() + frame_s
        while not self._stopped.is_set():
            self._poked.wait(max(0.0, due_s - time.monotonic()))
            if self._poked.is_set():
                self._poked.clear()
                self._do_jobs()
            elif not self._stalls():
                due_s += frame_s
                self._frame()
            else:
                due_s = time.monotonic() + frame_s

    def _frame(self):
        normal = self.find_tuning_algo(self._tuning, "rpi.agc") if self._tuning else {}
        normal = normal.get("channels", [normal])[0].get("exposure_modes", {}).get("normal", {"shutter": [66666]})
        metadata = {"ExposureTime": min(self._scene.wanted_exposure_us, normal["shutter"][-1])}
        if not self._scene.without_time:
            metadata["SensorTimestamp"] = time.monotonic_ns()
        with self.lock:
            self.completed_requests.append(CompletedRequest(metadata, self))
        self._do_jobs()

    def _do_jobs(self):
        finished = []
        with self.lock:
            while self._job_list and self._job_list[0].execute():
                finished.append(self._job_list.pop(0))
            while len(self.completed_requests) > 1:
                self.completed_requests.pop(0).release()
        for job in finished:
            job.signal()

    def _pop_request(self):
        if not self.completed_requests:
            return False, None
        request = self.completed_requests.pop(0)
        self._scene.handed.append(request)
        self._taken += 1
        if self._stalls():
            self._let_go()
        return True, request

    def _stalls(self):
        return self._scene.stall_after is not None and self._taken >= self._scene.stall_after

    def _let_go(self):
        while self.completed_requests:
            self.completed_requests.pop().release()


described(Picamera2)


def module_for(scene: Scene) -> ModuleType:
    """A module to stand for `picamera2`, whose camera sees `scene`, and for `libcamera`."""
    Picamera2._scene = scene
    module = ModuleType("picamera2")
    module.Picamera2 = Picamera2
    module.ColorSpace = ColorSpace
    return module
