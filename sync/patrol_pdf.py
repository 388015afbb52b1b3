"""The patrol log as PDF: A4, for a file or a court; what it says is what the CSV says."""

import unicodedata
from collections.abc import Mapping
from datetime import datetime, time, timezone
from typing import Any, Final

from sync.patrol import Day
from sync.patrol_chain import chain_of
from sync.patrol_read import PatrolRefused
from sync.patrol_words import Part, parts_of, summary, zone

MARGIN_MM: Final = 15
TYPE: Final = "Helvetica"
INSTEAD: Final = {
    "œ": "oe",
    "Œ": "OE",
    "\N{RIGHT SINGLE QUOTATION MARK}": "'",
    "\N{NARROW NO-BREAK SPACE}": " ",
    "\N{NO-BREAK SPACE}": " ",
    "\N{EN DASH}": "-",
    "\N{EM DASH}": "-",
    "€": "EUR",
}
"""The letters of every PDF reader's own type are those of Latin-1."""


def pdf_of(day: Day, words: Mapping[str, str]) -> bytes:
    """The log as a PDF document; the same day gives the same bytes.

    Raises:
        PatrolRefused: fpdf2 is not installed.
    """
    page = _document(words)
    page.set_title(_latin(f"{words['log_title']} {day.fleet}/{day.unit} {day.day}"))
    page.set_creation_date(datetime.combine(day.day, time(), timezone.utc))
    page.add_page()
    page.set_font(TYPE, "B", 18)
    page.cell(0, 9, _latin(words["log_title"]), new_x="LMARGIN", new_y="NEXT")
    page.set_font(TYPE, "", 11)
    for line in (
        f"{words['log_unit']}: {day.fleet}/{day.unit}    {words['log_day']}: {day.day:%d/%m/%Y}    {zone(day, words)}",
        summary(day, words) if day.drives else words["log_none"],
    ):
        page.multi_cell(0, 6, _latin(line), new_x="LMARGIN", new_y="NEXT")
    for part in parts_of(day, words):
        _table(page, part)
    page.ln(5)
    page.set_font(TYPE, "B", 9)
    page.multi_cell(0, 5, _latin(words["log_chain"]), new_x="LMARGIN", new_y="NEXT")
    page.set_font("Courier", "", 9)
    page.multi_cell(0, 5, chain_of(day), new_x="LMARGIN", new_y="NEXT")
    return bytes(page.output())


def _document(words: Mapping[str, str]) -> Any:
    try:
        from fpdf import FPDF  # noqa: PLC0415 - of the extra [pdf]
    except ImportError:
        raise PatrolRefused("a PDF needs fpdf2 (pip install 'ronde[pdf]'); CSV needs nothing") from None

    class Pages(FPDF):
        """Numbers its pages."""

        def footer(self) -> None:
            self.set_y(-MARGIN_MM)
            self.set_font(TYPE, "", 8)
            self.cell(0, 8, _latin(f"ronde    {words['log_page'].format(n=self.page_no())}"), align="R")

    page = Pages(format="A4")
    page.set_margin(MARGIN_MM)
    page.set_auto_page_break(auto=True, margin=2 * MARGIN_MM)
    return page


def _table(page: Any, part: Part) -> None:
    page.ln(4)
    page.set_font(TYPE, "B", 11)
    page.multi_cell(0, 7, _latin(part.title), new_x="LMARGIN", new_y="NEXT")
    page.set_font(TYPE, "", 8.5)
    with page.table(
        col_widths=tuple(part.wide), line_height=4.5, text_align="LEFT", borders_layout="HORIZONTAL_LINES", padding=(0.6, 1)
    ) as table:
        for row in (part.head, *part.rows):
            table.row([_latin(text) for text in row])


def _latin(text: str) -> str:
    """The text in letters of Latin-1: what has none is written out or loses its mark, and else becomes a question mark."""
    for strange, plain in INSTEAD.items():
        text = text.replace(strange, plain)
    letters = (each if ord(each) < 256 else unicodedata.normalize("NFKD", each)[0] for each in text)
    return "".join(letters).encode("latin-1", "replace").decode("latin-1")
