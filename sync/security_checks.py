"""What `ronde doctor` finds out about permission, commands and audit log."""

from datetime import datetime, timezone

from inference.manifest import ModelRefused, locate
from inference.tflite import TfliteModel
from provisioning.authorisation import FOLDER, Authorisation
from provisioning.settings import Settings
from provisioning.signed import KeyRefused, public_key
from sync.audit_check import AuditRefused, examine
from sync.authorised import Gate, Refused
from sync.checks import Check
from sync.commands_obeyed import KEY_FILE


def check_safety(settings: Settings, now: datetime | None = None) -> Check:
    """Whether a safety model could be loaded here; where the car is, only the capture knows."""
    name = "safety profile"
    if settings.models.safety is None:
        return Check(name, "does not apply", "[models] safety names none: no permission is read, and nothing is loaded")
    folder = FOLDER if settings.source is None else settings.source.parent
    standing = Gate(settings.unit, folder, notes=False).standing()
    if isinstance(standing, Refused):
        remedy = "ronde provision authorise makes a permission; or remove [models] safety"
        return Check(name, "failed", f"it is not loaded: {standing.reason}", remedy)
    try:
        model = TfliteModel(locate(settings.models.safety))
    except ModelRefused as error:
        return Check(name, "failed", f"it is not loaded: {error}", "correct [models] safety")
    if model.manifest.task != "safety":
        words = f"{settings.models.safety} is a model for {model.manifest.task}"
        return Check(name, "failed", words, "correct [models] safety")
    return _dates(name, standing.authorisation, now or datetime.now(timezone.utc))


def _dates(name: str, permission: Authorisation, now: datetime) -> Check:
    when = f"from {permission.begins_at:%Y-%m-%d %H:%M} until {permission.ends_at:%Y-%m-%d %H:%M} UTC"
    words = f"permission {permission.number} by {permission.authority} ({permission.legal_reference}), {when}"
    if now >= permission.ends_at:
        remedy = "ask for a new one, or remove the file and [models] safety"
        return Check(name, "failed", f"it is not loaded: {words}, has ended", remedy)
    return Check(name, "ok", f"{words}{'' if now >= permission.begins_at else ', has not begun yet'}")


def check_commands(settings: Settings) -> Check:
    """Whether anybody may command this unit."""
    name = "commands"
    if settings.source is None:
        return Check(name, "does not apply", "there is no configuration, and no key beside it")
    file = settings.source.parent / KEY_FILE
    if not file.exists():
        return Check(name, "does not apply", f"there is no {file}: no command is obeyed")
    try:
        public_key(file)
    except KeyRefused as error:
        return Check(name, "failed", f"no command is obeyed: {error}", "make a new card for this unit")
    return Check(name, "ok", f"those that {file} has signed are obeyed")


def check_audit(settings: Settings) -> Check:
    """Whether the audit log is what was written."""
    name = "audit log"
    try:
        examined = examine(settings.unit.state)
    except AuditRefused as error:
        return Check(name, "does not apply", str(error))
    if examined.wrong:
        more = f", and {len(examined.wrong) - 1} more" if len(examined.wrong) > 1 else ""
        remedy = "ronde audit shows it; keep a copy, and ask who had access to this unit"
        return Check(name, "failed", f"{examined.wrong[0]}{more}", remedy)
    return Check(name, "ok", f"{examined.head.lines} lines, each in its place")
