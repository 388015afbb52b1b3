"""`ronde provision enrol`, on the unit: from the offer on the card to a certificate, over the network or by the card itself.

Whatever ends it at whatever point, the next call goes on: the key is made once, and the fleet gives the same certificate again
for the same key.
"""

from datetime import datetime
from enum import Enum
from pathlib import Path
from typing import Final

from provisioning.certificate import CertificateRefused, key_print, read_request
from provisioning.desk import DeskClosed, apply
from provisioning.durable import write_durably
from provisioning.identity import Identity, IdentityRefused, enrolled_as
from provisioning.log import events
from provisioning.offer import Answer, Application, Offer, PaperRefused, read_paper, written
from provisioning.unit_files import ANSWER, APPLICATION, UnitFiles

PLACES: Final = (Path("/boot/firmware/ronde"), Path("/boot/ronde"), Path("/etc/ronde/card"))
"""Where a card's folder is found on a unit: on the boot partition of a Raspberry Pi, or where a seed has put it."""

log = events("provision")


class Outcome(Enum):
    """What one call came to."""

    WAS_ENROLLED = "was enrolled"
    ENROLLED = "enrolled"
    WAITING = "waiting"


def card_here(places: tuple[Path, ...] = PLACES) -> UnitFiles:
    """The card's folder on this unit.

    Raises:
        IdentityRefused: there is none.
    """
    for place in places:
        if UnitFiles(place).offer_file.exists():
            return UnitFiles(place)
    raise IdentityRefused(f"there is no card of a fleet here: no offer.json in {', '.join(map(str, places))}")


def enrol_here(identity: Identity, card: UnitFiles, now: datetime) -> tuple[Outcome, str]:
    """Gets this unit's certificate: from the card where the fleet has put it there, else from the desk. And why, in words.

    Where neither is to be had, the request is left on the card, for `ronde provision sign`.

    Raises:
        IdentityRefused, PaperRefused, DeskRefused: it never will this way.
    """
    offer = card.offer()
    if is_enrolled(identity, offer, now):
        return Outcome.WAS_ENROLLED, f"this unit is enrolled as {offer.unit}"
    answer = _carried(card)
    if answer is not None:
        try:
            identity.take(answer, offer, now)
        except IdentityRefused as error:
            log.warning("answer_refused", reason=str(error))
        else:
            return Outcome.ENROLLED, f"enrolled as {offer.unit}, by the card"
    try:
        identity.take(apply(offer, identity.application(offer)), offer, now)
    except DeskClosed as error:
        return Outcome.WAITING, f"{error}; {_left_request(identity, card, offer)}"
    return Outcome.ENROLLED, f"enrolled as {offer.unit}, at {offer.url}"


def is_enrolled(identity: Identity, offer: Offer, now: datetime) -> bool:
    """Whether this unit has a certificate in the offer's name that is good still.

    Raises:
        IdentityRefused: its file is damaged.
    """
    certificate = identity.certificate()
    return certificate is not None and enrolled_as(identity) == offer.unit and now <= certificate.not_valid_after_utc


def write_request(identity: Identity, offer: Offer, file: Path) -> None:
    """Writes what `ronde provision sign` takes.

    Raises:
        IdentityRefused: it cannot be written.
    """
    try:
        write_durably(file, written(identity.application(offer)))
    except OSError as error:
        raise IdentityRefused(f"{file} cannot be written: {error.strerror}") from error


def _carried(card: UnitFiles) -> Answer | None:
    file = card.folder / ANSWER
    try:
        return read_paper(Answer, file.read_bytes(), str(file))
    except FileNotFoundError:
        return None
    except (OSError, PaperRefused) as error:
        log.warning("answer_refused", reason=str(error))
        return None


def _left_request(identity: Identity, card: UnitFiles, offer: Offer) -> str:
    """Leaves the request on the card, once; in words."""
    file = card.folder / APPLICATION
    if _is_ours(file, identity, offer):
        return f"a request for `ronde provision sign` waits in {file}"
    try:
        write_request(identity, offer, file)
    except IdentityRefused as error:
        return str(error)
    return f"a request for `ronde provision sign` lies in {file}"


def _is_ours(file: Path, identity: Identity, offer: Offer) -> bool:
    """Whether a file holds the request of this very key for this very token: a request is signed anew each time."""
    try:
        lies = read_paper(Application, file.read_bytes(), str(file))
        _, key = read_request(lies.request.encode())
    except (OSError, PaperRefused, CertificateRefused):
        return False
    return lies.token == offer.token and key_print(key) == key_print(identity.key().public_key())
