"""`ronde doctor`: is this unit able to do its work? Each check is one function that reads, and writes nothing.

A check that has no object here (no broker is configured, no camera is asked for) says so instead of passing.
"""

import importlib.util
import stat
from collections.abc import Mapping
from datetime import datetime, timezone
from importlib.metadata import packages_distributions
from pathlib import Path

from cryptography import x509

from device.fix import Fix, GpsLost
from device.gpsd import GpsdSource
from provisioning.settings import Backend, Settings
from sync.board_checks import check_power, check_temperature, check_time_source, check_wear
from sync.broker import Session, address_of
from sync.checks import Check, check_clock, check_database, check_model, check_packages, check_pins, check_runtime
from sync.event import topic
from sync.keeping_checks import check_aside, check_disk, check_outbox, check_settings
from sync.mqtt import PahoBroker
from sync.refusal import BrokerRefused
from sync.security_checks import check_audit, check_commands, check_safety
from sync.tls import context

FIX_WAIT_S = 5.0
"""A receiver with a fix tells it each second."""
LEAST_DAYS = 14.0
"""A certificate that runs out sooner has to be renewed now."""
CAMERA_NEEDS: Mapping[str, tuple[str, str]] = {
    "picamera2": ("picamera2", "sudo apt-get install python3-picamera2, and make the venv with --system-site-packages"),
    "v4l2": ("gi", "sudo apt-get install python3-gi gir1.2-gst-plugins-base-1.0 gstreamer1.0-plugins-good"),
    "argus": ("gi", "sudo apt-get install python3-gi gir1.2-gst-plugins-base-1.0, and JetPack's GStreamer plugins"),
}
"""The Python module that a kind of camera needs, and how it is installed."""


def check_unit(settings: Settings) -> list[Check]:
    """Every check of the unit that `settings` describe, in the order in which a person would repair what fails."""
    gps, fix = check_gps(settings)
    file = settings.unit.state / "ronde.db"
    checks = [
        check_settings(settings),
        check_packages(packages_distributions()),
        check_runtime(),
        check_model("privacy", settings.models.privacy),
        check_model("roads", settings.models.roads),
        check_camera(settings),
        check_pins(settings.panel),
        gps,
        check_clock(datetime.now(timezone.utc), fix),
        check_time_source(),
        check_power(),
        check_temperature(),
        check_disk(settings.unit.state, settings.keeping),
        check_wear(settings.unit.state),
        check_database(file),
        check_aside(file),
        check_outbox(file),
        check_safety(settings),
        check_commands(settings),
        check_audit(settings),
    ]
    for backend in settings.backends:
        checks += [check_certificate(settings, backend), check_broker(settings, backend)]
    if not settings.backends:
        checks.append(Check("broker", "does not apply", "no [[backend]] is configured: nothing is sent"))
    return checks


def check_camera(settings: Settings) -> Check:
    """The camera's library and device; it is not opened, since the capture may hold it."""
    camera, name = settings.camera, "camera"
    if camera.kind == "simulated":
        return Check(name, "failed", "this version has no simulated street", "set [camera] kind to picamera2, v4l2 or argus")
    if camera.kind == "recorded":
        if camera.drive is None or not camera.drive.is_dir():
            return Check(name, "failed", f"there is no recorded drive at {camera.drive}", "correct [camera] drive")
        return Check(name, "does not apply", f"a recorded drive is played: {camera.drive}")
    module, install = CAMERA_NEEDS[camera.kind]
    if importlib.util.find_spec(module) is None:
        return Check(name, "failed", f'kind "{camera.kind}" needs the Python module {module}, which is not here', install)
    if camera.kind == "v4l2" and not _is_device(Path(camera.device)):
        return Check(name, "failed", f"there is no device {camera.device}", "plug the camera in, or correct [camera] device")
    return Check(name, "ok", f"{camera.kind}: {module} can be imported{_device_words(settings)}; not opened")


def _device_words(settings: Settings) -> str:
    return f" and {settings.camera.device} is there" if settings.camera.kind == "v4l2" else ""


def _is_device(path: Path) -> bool:
    try:
        return stat.S_ISCHR(path.stat().st_mode)
    except OSError:
        return False


def check_gps(settings: Settings, wait_s: float = FIX_WAIT_S) -> tuple[Check, Fix | None]:
    """Whether gpsd answers and has a fix within `wait_s`; and that fix."""
    source = GpsdSource(settings.gps.host, settings.gps.port)
    try:
        fix = source.next_fix(wait_s)
    except GpsLost as error:
        return Check("positions", "failed", str(error), "sudo apt-get install gpsd; systemctl status gpsd.socket"), None
    finally:
        source.close()
    if fix is None:
        refused = ", ".join(f"{reason} {count}" for reason, count in sorted(source.rejected.items())) or "no report at all"
        remedy = "put the receiver under open sky and wait a minute; cgps (of gpsd-clients) shows what it sees"
        return Check("positions", "failed", f"gpsd answers, but gave no fix in {wait_s:g} s ({refused})", remedy), None
    return Check("positions", "ok", f"a fix that is good to {fix.accuracy_m:.1f} m, speed from {source.speed_source}"), fix


def check_certificate(settings: Settings, backend: Backend) -> Check:
    """The unit's certificate for one backend: readable, for this unit, and how long it is good."""
    name = f"certificate for {backend.name}"
    if backend.ca is None or backend.cert is None or backend.key is None:
        return Check(name, "does not apply", "mqtt:// on this machine has none")
    try:
        context(backend.ca, backend.cert, backend.key)
    except BrokerRefused as error:
        return Check(name, "failed", str(error), "put the file that the fleet's authority made for this unit there")
    return _dates(name, backend.cert, f"{settings.unit.fleet}/{settings.unit.name}")


def _dates(name: str, cert: Path, unit: str) -> Check:
    certificate = x509.load_pem_x509_certificate(cert.read_bytes())
    names = [str(each.value) for each in certificate.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)]
    if names != [unit]:
        return Check(name, "failed", f"{cert} is for {' and '.join(names) or 'nobody'}, not for {unit}", "use this unit's own")
    days = (certificate.not_valid_after_utc - datetime.now(timezone.utc)).total_seconds() / 86400
    until = f"{certificate.not_valid_after_utc:%Y-%m-%d}"
    if days < LEAST_DAYS:
        return Check(name, "failed", f"it {'ran out on' if days < 0 else 'runs out on'} {until}", "renew it")
    return Check(name, "ok", f"for {unit}, good for {days:.0f} days (until {until})")


def check_broker(settings: Settings, backend: Backend) -> Check:
    """Whether the broker lets this unit in. It calls under a name of its own, so a running `ronde sync` is not expelled."""
    name = f"broker of {backend.name}"
    client_id = f"{settings.unit.fleet}.{settings.unit.name}.doctor"
    try:
        broker = PahoBroker(address_of(backend), Session(client_id, (topic(settings.unit, "ack"),), 0))
    except BrokerRefused as error:
        return Check(name, "failed", str(error), "check the network, the broker, [[backend]] url and the certificate")
    broker.close()
    return Check(name, "ok", f"{backend.url} lets this unit in")
