"""The patrol log as CSV, with a hash chain: each round's digest holds its own lines and the digest before it.

So a line that is changed, added or taken out changes every digest from there on, the day's last one too, which stands on the PDF.
A digest proves nothing by itself: it is compared with what was noted elsewhere on the day (the PDF; the digests of the photos,
which came to the town with their findings).
"""

import csv
import hashlib
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sync.event import iso
from sync.patrol import Day, Drive, Marked, Paused, Stretch

COLUMNS: Final = (
    "row", "day", "unit", "round_id", "street", "began_at", "ended_at", "from_m", "to_m", "driven_m", "photographed_m", "photos",
    "findings", "not_photographed", "latitude_deg", "longitude_deg", "uncertainty_m", "note", "photos_sha256", "chain_sha256",
)  # fmt: skip
"""`row`: round, stretch, hazard, pause or day. `not_photographed`: reasons with their metres. The day's row ends the chain."""

FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
"""A text that begins so is taken for a formula by a spreadsheet."""

Row = dict[str, str]


class ChainBroken(Exception):
    """The log is not what was written: one sentence that says where."""


def csv_of(day: Day) -> str:
    """The log as CSV, with a header; UTF-8, commas, times in UTC."""
    head = {"day": day.day.isoformat(), "unit": f"{day.fleet}/{day.unit}"}
    digest = _begin(head["unit"], head["day"])
    rows: list[Row] = []
    for drive in day.drives:
        own = [head | row for row in _drive_rows(drive)]
        digest = _next(digest, own)
        own[0]["chain_sha256"] = digest
        rows += own
    rest = [head | _pause_row(pause) for pause in day.pauses]
    last = head | _day_row(day)
    digest = _next(digest, [*rest, last])
    last["chain_sha256"] = digest
    out = io.StringIO()
    writer = csv.DictWriter(out, COLUMNS, restval="", lineterminator="\r\n")
    writer.writeheader()
    writer.writerows([*rows, *rest, last])
    return out.getvalue()


@dataclass(frozen=True, slots=True)
class Checked:
    """A log that is whole."""

    unit: str
    day: str
    rounds: int
    chain_sha256: str

    def in_words(self) -> str:
        """For a person."""
        return f"whole: {self.unit}, {self.day}, {self.rounds} rounds, {self.chain_sha256}"


def chain_of(day: Day) -> str:
    """The day's last digest."""
    return check_csv(csv_of(day)).chain_sha256


def check_csv(text: str) -> Checked:
    """Whether a log is what was written.

    Raises:
        ChainBroken: it is no log, or a line was changed, added or taken out.
    """
    reader = csv.DictReader(io.StringIO(text.removeprefix("\ufeff"), newline=""))
    if tuple(reader.fieldnames or ()) != COLUMNS:
        raise ChainBroken("this is no patrol log: its first line names other columns")
    groups: list[list[Row]] = []
    for row in reader:
        if None in row or None in row.values():
            raise ChainBroken(f"line {reader.line_num} has too few or too many fields")
        if row["row"] == "round" or (row["row"] in ("pause", "day") and (not groups or groups[-1][0]["row"] == "round")):
            groups.append([])
        if not groups:
            raise ChainBroken(f"line {reader.line_num} belongs to no round")
        groups[-1].append(row)
    if not groups or groups[-1][-1]["row"] != "day":
        raise ChainBroken("it does not end with the line of the day")
    unit, day = groups[-1][-1]["unit"], groups[-1][-1]["day"]
    digest = _begin(unit, day)
    for group in groups:
        digest = _next(digest, group)
        told = group[0] if group[0]["row"] == "round" else group[-1]
        if told["chain_sha256"] != digest:
            raise ChainBroken(f"it is not what was written: the digest of {told['round_id'] or 'the day'} does not fit its lines")
    return Checked(unit, day, len(groups) - 1, digest)


def _begin(unit: str, day: str) -> str:
    return hashlib.sha256(f"ronde patrol 1\n{unit}\n{day}\n".encode()).hexdigest()


def _next(digest: str, rows: Sequence[Mapping[str, str]]) -> str:
    """The next link: SHA-256 over the digest before and the rows, their fields joined by the unit separator of ASCII."""
    lines = "".join("\x1f".join(row.get(column, "") for column in COLUMNS[:-1]) + "\n" for row in rows)
    return hashlib.sha256(f"{digest}\n{lines}".encode()).hexdigest()


def _drive_rows(drive: Drive) -> Iterator[Row]:
    yield {
        "row": "round",
        "round_id": drive.round_id,
        "began_at": _at(drive.began_at),
        "ended_at": _at(drive.ended_at),
        "driven_m": f"{drive.length_m:.1f}",
        "photographed_m": f"{drive.photographed_m:.1f}",
        "photos": str(drive.photos),
        "findings": str(drive.findings),
        "not_photographed": reasons_text(drive.missing),
        "photos_sha256": drive.photos_sha256,
    }
    yield from (_stretch_row(drive, stretch) for stretch in drive.stretches)
    yield from (_hazard_row(drive, hazard) for hazard in drive.hazards)


def _stretch_row(drive: Drive, stretch: Stretch) -> Row:
    return {
        "row": "stretch",
        "round_id": drive.round_id,
        "street": _safe(stretch.street or ""),
        "began_at": _at(stretch.began_at),
        "ended_at": _at(stretch.ended_at),
        "from_m": f"{stretch.from_m:.1f}",
        "to_m": f"{stretch.to_m:.1f}",
        "driven_m": f"{stretch.driven_m:.1f}",
        "photographed_m": f"{stretch.photographed_m:.1f}",
        "photos": str(stretch.photos),
        "not_photographed": reasons_text(stretch.missing),
        **(
            {}
            if stretch.begin is None
            else {"latitude_deg": f"{stretch.begin[0]:.7f}", "longitude_deg": f"{stretch.begin[1]:.7f}"}
        ),
    }


def _hazard_row(drive: Drive, hazard: Marked) -> Row:
    return {
        "row": "hazard",
        "round_id": drive.round_id,
        "began_at": _at(hazard.at),
        "latitude_deg": f"{hazard.spot[0]:.7f}",
        "longitude_deg": f"{hazard.spot[1]:.7f}",
        "uncertainty_m": f"{hazard.uncertainty_m:.1f}",
        "note": _safe(hazard.note or ""),
    }


def _pause_row(pause: Paused) -> Row:
    return {"row": "pause", "began_at": _at(pause.began_at), "ended_at": _at(pause.ended_at)}


def _day_row(day: Day) -> Row:
    return {
        "row": "day",
        "driven_m": f"{day.length_m:.1f}",
        "photographed_m": f"{day.photographed_m:.1f}",
        "photos": str(sum(drive.photos for drive in day.drives)),
        "findings": str(sum(drive.findings for drive in day.drives)),
        "not_photographed": reasons_text(day.missing),
    }


def reasons_text(missing: Mapping[str, float]) -> str:
    """Reasons with their metres: `no_fix 12.0; disk 4.0`."""
    return "; ".join(f"{reason} {metres:.1f}" for reason, metres in missing.items())


def _safe(text: str) -> str:
    return f"'{text}" if text.startswith(FORMULA) else text


def _at(moment: datetime | None) -> str:
    return "" if moment is None else iso(moment)
