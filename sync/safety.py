"""The safety model: in memory while a signed permission holds here and now, and not there otherwise.

It looks at pictures in which people are hidden already: it takes an `AnonymousFrame`, as everything does that keeps or sends.
"""

import ctypes
import gc
import math
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Final

from device.boot import now_s
from device.fix import Fix
from inference.anonymise import AnonymousFrame
from inference.detect import Detection, detect
from inference.letterbox import letterbox
from inference.manifest import ModelRefused, locate
from inference.model import Model, ModelFailed
from inference.tflite import TfliteModel
from provisioning.authorisation import FIRE, FOLDER, Authorisation
from provisioning.log import events
from provisioning.settings import Settings
from sync.audit import Audit, AuditNotWritten, Field, What
from sync.authorised import Allowed, Answer, Gate, Refused

STALE_S: Final = 10.0
"""A fix older than this does not say where the car is."""
REST_S: Final = 10.0
"""Between an end and the next beginning: a car that drives along the edge of the area does not load it at every turn."""
SAID_AGAIN_S: Final = 600.0
"""How often the audit log is told of the same reason at most."""

EVENT_LABELS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType({FIRE: ("fire", "smoke")})
"""What the model finds of the events that a permission names."""

log = events("safety")


class SafetyWatch:
    """Called by the line's thread alone. `gate` is None where no safety model is configured: nothing is read, nothing loaded.

    `turn` is called at each fix and once a second, and loads and unloads. `look` is for one frame.
    """

    def __init__(
        self,
        gate: Gate | None,
        file: Path | None,
        audit: Audit,
        *,
        load: Callable[[Path], Model] = TfliteModel,
        clock: Callable[[], float] = now_s,
    ) -> None:
        self._gate = gate if file is not None else None
        self._file = file or Path()
        self._audit = audit
        self._load = load
        self._clock = clock
        self._model: Model | None = None
        self._authorisation: Authorisation | None = None
        self._rests_until_s = -1.0
        self._utc: datetime | None = None
        self._said: dict[str, float] = {}
        self.refusal = None if self._gate else Refused("missing", "no safety model is configured")

    @property
    def model(self) -> Model | None:
        """The model, None while it is not allowed."""
        return self._model

    @property
    def labels(self) -> tuple[str, ...]:
        """What may be reported now: empty while nothing is allowed."""
        permission = self._authorisation
        return () if permission is None else tuple(label for each in permission.events for label in EVENT_LABELS.get(each, ()))

    @property
    def state(self) -> str | None:
        """`loaded`, or why it is not, as health tells it; None where no safety model is configured."""
        if self._gate is None:
            return None
        return "loaded" if self._model is not None else self.refusal.code if self.refusal else "not_loaded"

    def turn(self, fix: Fix | None) -> Answer:
        """Loads the model where it is allowed by now, unloads it at once where it is not. `fix` is the newest one."""
        if self._gate is None:
            assert self.refusal is not None
            return self.refusal
        now = self._clock()
        fresh = fix is not None and now - fix.boot_s <= STALE_S
        utc = None if fix is None else fix.taken_at + timedelta(seconds=now - fix.boot_s)
        self._utc = utc
        answer = self._gate.allowed(fix if fresh else None, utc, "unset" if fix is None else "gnss")
        match answer:
            case Refused():
                self._end(answer)
            case Allowed() if self._model is None:
                self._begin(answer.authorisation)
            case Allowed() if answer.authorisation != self._authorisation:
                self._end(Refused("replayed", "another permission stands in its place"))
        return answer

    def look(self, frame: AnonymousFrame) -> tuple[Detection, ...]:
        """What is seen in a frame that was taken where and when it is allowed, in its pixels; nothing otherwise."""
        place = frame.place
        if self._model is None or self._gate is None or place is None:
            return ()
        answer = self._gate.allowed(place, place.taken_at, place.time_source)
        if isinstance(answer, Refused) or answer.authorisation != self._authorisation:
            return ()
        picture = self._model.manifest.input
        seen = letterbox(frame.pixels, picture.width, picture.height)
        try:
            found = detect(self._model.manifest, self._model.invoke(seen.pixels), seen)
        except ModelFailed as error:
            log.error("safety_failed", reason=str(error))
            return ()
        return tuple(each for each in found if each.label in self.labels)

    def close(self) -> None:
        """The round is over: between rounds nothing is loaded."""
        if self._model is not None:
            self._end(Refused("missing", "the round is over"))
            self._rests_until_s = -1.0

    def _begin(self, permission: Authorisation) -> None:
        """Notes it, then loads: what cannot be noted does not happen."""
        if self._clock() < self._rests_until_s:
            return
        try:
            model = self._loaded()
            about: dict[str, Field] = {
                "model": model.manifest.name,
                "model_sha256": model.manifest.sha256,
                "permission": permission.number,
                "permission_sha256": permission.sha256,
                "legal_reference": permission.legal_reference,
                "events": ", ".join(permission.events),
            }
            self._append("model_loaded", about)
        except (ModelRefused, AuditNotWritten) as error:
            self._rests_until_s = self._clock() + REST_S
            log.error("safety_not_loaded", reason=str(error))
            return
        self._model, self._authorisation, self.refusal = model, permission, None
        log.info("safety_loaded", model=model.manifest.name, permission=permission.number)

    def _loaded(self) -> Model:
        model = self._load(self._file)
        task = model.manifest.task
        if task != "safety":
            raise ModelRefused(f"{self._file}: is a model for {task} and stands where one for safety belongs")
        return model

    def _end(self, refusal: Refused) -> None:
        """Unloads first, and notes it then."""
        loaded, permission = self._model, self._authorisation
        self._model = self._authorisation = None
        before, self.refusal = self.refusal, refusal
        if loaded is None:
            if before is None or before.code != refusal.code:
                log.info("safety_refused", code=refusal.code, reason=refusal.reason)
                self._note_refusal(refusal)
            return
        name, number = loaded.manifest.name, permission.number if permission else None
        del loaded
        _give_back()
        self._rests_until_s = self._clock() + REST_S
        log.info("safety_unloaded", code=refusal.code, reason=refusal.reason)
        self._note("model_unloaded", {"model": name, "permission": number, "why": refusal.code})

    def _note_refusal(self, refusal: Refused) -> None:
        now = self._clock()
        if now - self._said.get(refusal.code, -math.inf) >= SAID_AGAIN_S:
            self._said[refusal.code] = now
            self._note("model_not_loaded", {"why": refusal.code})

    def _note(self, what: What, about: Mapping[str, Field]) -> None:
        try:
            self._append(what, about)
        except AuditNotWritten as error:
            log.error("audit_not_written", reason=str(error))

    def _append(self, what: What, about: Mapping[str, Field]) -> None:
        if self._utc is None:
            self._audit.append(what, about)
        else:
            self._audit.append(what, about, at=self._utc, clock="gnss")


def _give_back() -> None:
    """What was freed goes back to the system: of a model that is unloaded, no byte stays in the memory of the process."""
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # of the GNU C library alone
    if trim is not None:
        trim(0)


def watch_of(settings: Settings) -> SafetyWatch:
    """The watch of a unit. Without `[models] safety` it never reads a permission."""
    file = None if settings.models.safety is None else locate(settings.models.safety)
    folder = FOLDER if settings.source is None else settings.source.parent
    return SafetyWatch(Gate(settings.unit, folder), file, Audit(settings.unit.state))
