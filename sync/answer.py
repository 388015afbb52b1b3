"""What a backend says on a unit's topic `ack`. It comes from outside: anything may stand there."""

import json
from dataclasses import dataclass, field

LONGEST_REASON = 500


@dataclass(frozen=True, slots=True)
class Answer:
    """Event ids that are stored, and (id, reason) of those that the backend will never take."""

    acked: list[str] = field(default_factory=list)
    refused: list[tuple[str, str]] = field(default_factory=list)


def answer_of(payload: bytes) -> Answer | None:
    """The answer in an `ack` message, None where it is none. Fields that we do not know are left for later versions."""
    try:
        document = json.loads(payload)
    except (ValueError, RecursionError):
        return None
    if not isinstance(document, dict):
        return None
    acked, refused = document.get("acked", []), document.get("refused", [])
    if not isinstance(acked, list) or not all(isinstance(id_, str) for id_ in acked):
        return None
    if not isinstance(refused, list) or not all(_is_refusal(each) for each in refused):
        return None
    return Answer(acked, [(each["id"], _text(each["reason"])) for each in refused])


def _is_refusal(value: object) -> bool:
    return isinstance(value, dict) and isinstance(value.get("id"), str) and isinstance(value.get("reason"), str)


def _text(reason: str) -> str:
    """A reason that a database takes: JSON can hold halves of characters."""
    return reason[:LONGEST_REASON].encode("utf-8", "replace").decode("utf-8")
