"""Commands that must not be obeyed: by hand, and made at random. The unit has had the number `LAST` before."""

import base64
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric import ed25519

from provisioning.authorisation import text_of
from provisioning.signed import SIGNATURE, Document, PrivateKey, canonical, signed
from sync.commands import DOES, MOST_BYTES, MOST_SEQUENCE
from sync.faults.row import Rng

LAST: Final = 1000
HOUR: Final = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Signer:
    """Who makes them: `key` is the one that the unit trusts, `unit` is its own name, `now` its time."""

    key: PrivateKey
    unit: str
    now: datetime

    def document(self, **changes: Any) -> Document:
        """A command that would be obeyed, but for the changes."""
        good = {"unit": self.unit, "sequence": LAST + 500, "expires_at": text_of(self.now + HOUR), "do": "erase", "args": {}}
        return {name: value for name, value in {**good, **changes}.items() if value is not LEFT_OUT}

    def payload(self, **changes: Any) -> bytes:
        """The same, signed by the right key."""
        return written(signed(self.document(**changes), self.key))


LEFT_OUT: Final = object()
"""Instead of a value: the field is not there."""

Case = Callable[[Signer], bytes]


def written(document: Mapping[str, Any]) -> bytes:
    """As a message holds it."""
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "surrogatepass")


def _changed(**changes: Any) -> Case:
    """Signed by the right key, and wrong in what it says."""
    return lambda signer: signer.payload(**changes)


def _at(**when: float) -> Case:
    return lambda signer: signer.payload(expires_at=text_of(signer.now + timedelta(**when)))


def _after_signing(**changes: Any) -> Case:
    """Signed, and changed afterwards."""

    def make(signer: Signer) -> bytes:
        document = signed(signer.document(), signer.key) | changes
        return written({name: value for name, value in document.items() if value is not LEFT_OUT})

    return make


def _text(change: Callable[[str], str]) -> Case:
    """Signed, and its text changed."""
    return lambda signer: change(signer.payload().decode()).encode("utf-8", "surrogatepass")


def _raw(content: bytes) -> Case:
    return lambda _: content


def _stranger(signer: Signer) -> bytes:
    return written(signed(signer.document(), ed25519.Ed25519PrivateKey.generate()))


def _over_plain_json(signer: Signer) -> bytes:
    """Signed over what json.dumps writes, which is no RFC 8785 form."""
    document = signer.document()
    signature = signer.key.sign(json.dumps(document).encode())
    return written(document | {SIGNATURE: base64.b64encode(signature).decode()})


def _over_itself(signer: Signer) -> bytes:
    """Signed with an empty signature inside."""
    document = signer.document()
    signature = signer.key.sign(canonical(document | {SIGNATURE: ""}))
    return written(document | {SIGNATURE: base64.b64encode(signature).decode()})


def _of_another(signer: Signer) -> bytes:
    """The signature of a harmless command under a dangerous one."""
    harmless = signed(signer.document(do="pause"), signer.key)
    return written(signer.document() | {SIGNATURE: harmless[SIGNATURE]})


BY_HAND: Final[Mapping[str, Case]] = {
    "nothing": _raw(b""),
    "a blank": _raw(b" "),
    "null": _raw(b"null"),
    "true": _raw(b"true"),
    "a number": _raw(b"17"),
    "a text": _raw(b'"erase"'),
    "a list": _raw(b"[]"),
    "an empty object": _raw(b"{}"),
    "half an object": _raw(b'{"unit": '),
    "no UTF-8": _raw(b"\xff\xfe{}"),
    "a mark before the object": _text(lambda text: "\ufeff" + text),
    "ten thousand brackets": _raw(b"[" * 10_000),
    "nested deep": _raw(b'{"a":' * 600 + b"1" + b"}" * 600),
    "five megabytes": _raw(b"[" + b"0," * 2_500_000 + b"0]"),
    "one byte too many": lambda signer: signer.payload() + b" " * (MOST_BYTES + 1 - len(signer.payload())),
    "do alone": _raw(b'{"do": "erase"}'),
    "no signature": _after_signing(signature=LEFT_OUT),
    "signature null": _after_signing(signature=None),
    "signature a list": _after_signing(signature=[1, 2]),
    "signature empty": _after_signing(signature=""),
    "signature no base64": _after_signing(signature="!" * 88),
    "signature of zeros": _after_signing(signature=base64.b64encode(bytes(64)).decode()),
    "signature too short": _after_signing(signature=base64.b64encode(bytes(63)).decode()),
    "signature too long": _text(lambda text: text.replace('"}', 'AAAA"}')),
    "signature with a line end": _text(lambda text: text.replace('"}', '\\n"}')),
    "signed by a stranger": _stranger,
    "signed over plain JSON": _over_plain_json,
    "signed over itself": _over_itself,
    "the signature of another command": _of_another,
    "unit changed after signing": _after_signing(unit="faults/car-02"),
    "sequence changed after signing": _after_signing(sequence=LAST + 501),
    "expires_at changed after signing": _after_signing(expires_at="2099-01-01T00:00:00.000Z"),
    "do changed after signing": _after_signing(do="pause"),
    "args changed after signing": _after_signing(args={"finding_id": "x"}),
    "a field added after signing": _after_signing(note="x"),
    "a key twice, the second another": _text(lambda text: text.replace('"do":"erase"', '"do":"erase","do":"pause"')),
    "a key twice, the same": _text(lambda text: text.replace('"do":"erase"', '"do":"erase","do":"erase"')),
    "two commands in one": lambda signer: signer.payload() + signer.payload(),
    "something behind it": _text(lambda text: text + "x"),
    "for another unit": _changed(unit="faults/car-02"),
    "for another fleet": _changed(unit="other/car-01"),
    "for the whole fleet": _changed(unit="faults/*"),
    "for nobody": _changed(unit=""),
    "for a list of units": _changed(unit=["faults/car-01"]),
    "its name in capitals": lambda signer: signer.payload(unit=signer.unit.upper()),
    "no unit": _changed(unit=LEFT_OUT),
    "the last number again": _changed(sequence=LAST),
    "an old number": _changed(sequence=LAST - 1),
    "number 0": _changed(sequence=0),
    "a negative number": _changed(sequence=-1),
    "a number with a point": _changed(sequence=LAST + 0.5),
    "a number as a text": _changed(sequence=str(LAST + 500)),
    "true for a number": _changed(sequence=True),
    "a number beyond all": _changed(sequence=MOST_SEQUENCE + 1),
    "no number": _changed(sequence=LEFT_OUT),
    "expired": _at(seconds=-1),
    "expired long ago": _changed(expires_at="1970-01-01T00:00:00.000Z"),
    "good for too long": _at(days=32),
    "good for ever": _changed(expires_at="9999-12-31T23:59:59.999Z"),
    "another time zone": _changed(expires_at="2099-01-01T00:00:00.000+02:00"),
    "a time without milliseconds": _changed(expires_at="2099-01-01T00:00:00Z"),
    "the 30th of February": _changed(expires_at="2027-02-30T00:00:00.000Z"),
    "a time as a number": _changed(expires_at=4070908800),
    "no time": _changed(expires_at=LEFT_OUT),
    "a shell": _changed(do="exec"),
    "a command line": _changed(do="pause; rm -rf /"),
    "do in capitals": _changed(do="ERASE"),
    "do with a blank": _changed(do="erase "),
    "do null": _changed(do=None),
    "do a list": _changed(do=["erase"]),
    "erase with args": _changed(args={"path": "/"}),
    "args null": _changed(args=None),
    "args a list": _changed(args=[]),
    "send_evidence without a finding": _changed(do="send_evidence"),
    "send_evidence with a path": _changed(do="send_evidence", args={"finding_id": "../../etc/passwd"}),
    "send_evidence with SQL": _changed(do="send_evidence", args={"finding_id": "x'; DROP TABLE frame; --"}),
    "send_evidence with half a character": _text(lambda text: text.replace('"args":{}', '"args":{"finding_id":"\\ud800"}')),
    "a field too many": _changed(note="x"),
}
"""Each with the right key where nothing else is said."""


def by_hand(signer: Signer, count: int) -> list[tuple[str, bytes]]:
    """The first `count` of them, all where there are no more."""
    return [(name, make(signer)) for name, make in list(BY_HAND.items())[:count]]


def at_random(signer: Signer, rng: Rng, count: int) -> list[tuple[str, bytes]]:
    """So many that are made of chance."""
    kinds: Sequence[Callable[[Signer, Rng], bytes]] = (_noise, _flipped, _cut, _junk_inside, _junk_signed, _stale)
    made = []
    for number in range(count):
        kind = kinds[number % len(kinds)]
        made.append((f"{kind.__name__.removeprefix('_').replace('_', ' ')} {number}", kind(signer, rng)))
    return made


def _noise(_: Signer, rng: Rng) -> bytes:
    return rng.bytes(int(rng.integers(0, 2 * MOST_BYTES)))


def _flipped(signer: Signer, rng: Rng) -> bytes:
    """Bits of a command that would be obeyed."""
    content = bytearray(signer.payload(do=str(rng.choice(["pause", "resume", "erase", "restart_sync"]))))
    for at in rng.choice(len(content), size=int(rng.integers(1, 6)), replace=False):
        content[int(at)] ^= 1 << int(rng.integers(8))
    return bytes(content)


def _cut(signer: Signer, rng: Rng) -> bytes:
    """A piece of it is missing, or stands twice."""
    content = signer.payload()
    begin, end = sorted(int(each) for each in rng.choice(len(content), size=2, replace=False))
    return content[:begin] + content[end:] if rng.random() < 0.5 else content[:end] + content[begin:]


def _junk(rng: Rng) -> Any:
    """A value of any kind."""
    texts = ("", "erase", "../..", "$(reboot)", "\x00", "é" * 50, "a" * 3000, "2026-13-01T00:00:00.000Z")
    numbers = (0, -1, 2**53 - 1, 1e308, 0.1, True)
    values: tuple[Any, ...] = (*texts, *numbers, None, [], {}, [[]], {"a": {"b": [1]}})
    return values[int(rng.integers(len(values)))]


def _junk_inside(signer: Signer, rng: Rng) -> bytes:
    """One value is another, the signature stays."""
    document = signed(signer.document(), signer.key)
    name = str(rng.choice(sorted(document)))
    before = document[name]
    while (junk := _junk(rng)) == before and type(junk) is type(before):
        pass
    return written(document | {name: junk})


def _junk_signed(signer: Signer, rng: Rng) -> bytes:
    """The same with the right signature: what it says is wrong all the same."""
    document = signer.document(do="send_evidence", args={"finding_id": "0123abcd-1-f1"})
    name = str(rng.choice(sorted(document)))
    junk = _junk(rng)
    if (name, junk) == ("do", "erase"):
        junk = "reboot"
    if name == "sequence" and isinstance(junk, int) and not isinstance(junk, bool) and junk > LAST:
        junk = MOST_SEQUENCE + 1
    return written(signed(document | {name: junk}, signer.key))


def _stale(signer: Signer, rng: Rng) -> bytes:
    """In order in everything but number, time or address."""
    changes: tuple[dict[str, Any], ...] = (
        {"sequence": int(rng.integers(1, LAST + 1))},
        {"expires_at": text_of(signer.now - timedelta(seconds=float(rng.uniform(1, 1e8))))},
        {"expires_at": text_of(signer.now + timedelta(days=float(rng.uniform(31.5, 9000))))},
        {"unit": f"faults/car-{int(rng.integers(2, 99)):02d}"},
    )
    return signer.payload(do=str(rng.choice(DOES[:2])), **changes[int(rng.integers(len(changes)))])
