"""The patrol log for a person: its tables as texts in one language, from which the page and the PDF are made. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sync.panel.words import number
from sync.patrol import Day, Spot, share

Words = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Part:
    """A table with its title. `wide` are the shares of the columns' widths."""

    title: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    wide: Sequence[float]


def summary(day: Day, words: Words) -> str:
    """The day in one sentence."""
    return words["log_sum"].format(
        driven=_km(day.length_m, words),
        seen=_km(day.photographed_m, words),
        share=number(100.0 * share(day.photographed_m, day.length_m), words),
        photos=number(sum(drive.photos for drive in day.drives), words),
        findings=number(sum(drive.findings for drive in day.drives), words),
        hazards=number(sum(len(drive.hazards) for drive in day.drives), words),
    )


def zone(day: Day, words: Words) -> str:
    """Which clock the times are of."""
    noon = datetime(day.day.year, day.day.month, day.day.day, 12).astimezone()
    return words["log_zone"].format(zone=f"UTC{noon:%z}"[:6])


def parts_of(day: Day, words: Words) -> Sequence[Part]:
    """The tables of a day; one that has no row is left out."""
    parts = (_rounds(day, words), _streets(day, words), _stretches(day, words), _hazards(day, words), _pauses(day, words))
    return [part for part in parts if part.rows]


def _rounds(day: Day, words: Words) -> Part:
    head = _head(words, "log_round", "log_from", "log_to", "log_driven", "log_seen", "log_photos", "log_missing")
    rows = [
        (
            drive.round_id,
            _clock(drive.began_at),
            words["log_still"] if drive.ended_at is None else _clock(drive.ended_at),
            _km(drive.length_m, words),
            _seen(drive.photographed_m, drive.length_m, words),
            number(drive.photos, words),
            _missing(drive.missing, words),
        )
        for drive in day.drives
    ]
    return Part(words["log_rounds"], head, rows, (16, 9, 9, 12, 18, 9, 27))


def _streets(day: Day, words: Words) -> Part:
    head = _head(words, "log_street", "log_passages", "log_driven", "log_seen", "log_missing")
    rows = [
        (
            street.name,
            number(len(street.stretches), words),
            _m(street.driven_m, words),
            _seen(street.photographed_m, street.driven_m, words),
            _missing(street.missing, words),
        )
        for street in day.streets
    ]
    return Part(words["log_streets"], head, rows, (34, 10, 12, 17, 27))


def _stretches(day: Day, words: Words) -> Part:
    """Each piece of each round, in order."""
    head = _head(words, "log_at", "log_street" if day.by_street else "log_begin", "log_driven", "log_seen", "log_missing")
    rows = [
        (
            "" if stretch.began_at is None else _clock(stretch.began_at),
            stretch.street or (words["log_no_street"] if day.by_street else _way(stretch.begin, stretch.end)),
            _m(stretch.driven_m, words),
            _seen(stretch.photographed_m, stretch.driven_m, words),
            _missing(stretch.missing, words),
        )
        for drive in day.drives
        for stretch in drive.stretches
    ]
    return Part(words["log_stretches"], head, rows, (9, 36, 12, 17, 26))


def _hazards(day: Day, words: Words) -> Part:
    head = _head(words, "log_at", "log_place", "log_note")
    rows = [
        (
            "" if hazard.at is None else _clock(hazard.at),
            f"{_place(hazard.spot)} (± {number(hazard.uncertainty_m, words)} m)",
            hazard.note or "",
        )
        for drive in day.drives
        for hazard in drive.hazards
    ]
    return Part(words["log_hazards"], head, rows, (10, 38, 52))


def _pauses(day: Day, words: Words) -> Part:
    rows = [
        (_clock(pause.began_at), words["log_still"] if pause.ended_at is None else _clock(pause.ended_at)) for pause in day.pauses
    ]
    return Part(words["log_pauses"], _head(words, "log_from", "log_to"), rows, (50, 50))


def _head(words: Words, *keys: str) -> Sequence[str]:
    return [words[key] for key in keys]


def _missing(missing: Mapping[str, float], words: Words) -> str:
    return ", ".join(f"{words.get(f'gap_{reason}', reason)} {_m(metres, words)}" for reason, metres in missing.items())


def _seen(part_m: float, whole_m: float, words: Words) -> str:
    percent = "\N{NARROW NO-BREAK SPACE}%" if words["lang_name"] == "Français" else "%"
    return f"{_m(part_m, words)} ({number(100.0 * share(part_m, whole_m), words)}{percent})"


def _way(begin: Spot | None, end: Spot | None) -> str:
    return "" if begin is None or end is None else f"{_place(begin)} - {_place(end)}"


def _place(spot: Spot) -> str:
    return f"{spot[0]:.5f}, {spot[1]:.5f}"


def _km(metres: float, words: Words) -> str:
    return f"{number(metres / 1000.0, words, 1)} km"


def _m(metres: float, words: Words) -> str:
    return f"{number(metres, words)} m"


def _clock(moment: datetime) -> str:
    return f"{moment.astimezone():%H:%M:%S}"
