"""What a card carries to a unit, and what passes between unit and fleet: the offer, the application and the answer (JSON).

The offer holds the one secret on a card, the token: 256 random bits, good once, for one unit, until it expires. The fleet keeps
only its hash, and that is enough, since nobody can try 2^256 of them.
"""

import hashlib
import json
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Final, TypeVar

T = TypeVar("T", "Offer", "Application", "Answer")

TOKEN_BYTES: Final = 32
MOST_BYTES: Final = 32768
"""An application or an answer is smaller."""


class PaperRefused(Exception):
    """A file or message of the enrolment is not what it has to be: one sentence."""


@dataclass(frozen=True, slots=True)
class Offer:
    """For one unit: where to apply (`url`), with which token, until when, and the authority (PEM) that signs there."""

    unit: str
    url: str
    token: str
    expires_at: str
    ca: str

    def without_token(self) -> "Offer":
        """What a unit keeps of it: where to renew."""
        return Offer(self.unit, self.url, "", self.expires_at, self.ca)


@dataclass(frozen=True, slots=True)
class Application:
    """What a unit sends: its token, which is empty when it renews, and its request (PKCS 10, PEM)."""

    token: str
    request: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What it gets: its certificate, the authority's, and the public key of those who may command it (PEM)."""

    certificate: str
    ca: str
    command_key: str


def make_token() -> str:
    """A new token: 43 letters, digits, `-` and `_`."""
    return secrets.token_urlsafe(TOKEN_BYTES)


def hash_of(token: str) -> str:
    """What the fleet keeps of a token."""
    return hashlib.sha256(token.encode()).hexdigest()


def written(paper: Offer | Application | Answer) -> bytes:
    """As a file or a message holds it."""
    return json.dumps(asdict(paper), indent=1).encode() + b"\n"


def read_paper(kind: type[T], content: bytes, what: str) -> T:
    """An offer, an application or an answer; `what` names it in the sentence of an error.

    Raises:
        PaperRefused: it is something else, or damaged.
    """
    names = [field.name for field in fields(kind)]
    try:
        document: Any = json.loads(content) if len(content) <= MOST_BYTES else None
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, Mapping) or set(document) != set(names):
        raise PaperRefused(f"{what} is not what it has to be: JSON with {', '.join(names)}")
    if not all(isinstance(value, str) for value in document.values()):
        raise PaperRefused(f"{what} is not what it has to be: a text for each of {', '.join(names)}")
    return kind(**document)
