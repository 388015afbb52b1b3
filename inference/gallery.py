"""Pictures with what was found, missed and wrongly found drawn on them, in one HTML file. Takes hidden pictures only."""

import base64
import html
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from PIL import Image

from inference.anonymise import AnonymousFrame
from inference.detect import Box

Kind = Literal["hit", "miss", "alarm"]

WIDTH_PX = 720
JPEG_QUALITY = 80
LOOKS: dict[Kind, tuple[str, str]] = {
    "hit": ("#16a34a", "found and there"),
    "miss": ("#dc2626", "there and not found"),
    "alarm": ("#f59e0b", "found and not there"),
}
PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{title}</title>
<style>
body {{ font: 15px/1.45 system-ui, sans-serif; margin: 1.5rem; color: #1f2937; background: #fff }}
main {{ display: grid; grid-template-columns: repeat(auto-fill, minmax(22rem, 1fr)); gap: 1.25rem }}
figure {{ margin: 0 }} svg {{ width: 100%; height: auto; display: block }}
figcaption {{ font-size: 13px; overflow-wrap: anywhere }}
i {{ display: inline-block; width: 1em; height: .7em; margin: 0 .3em 0 1em; border: 2px solid }}
rect {{ fill: none; stroke-width: 2; vector-effect: non-scaling-stroke }}
text {{ font: 13px system-ui, sans-serif; paint-order: stroke; stroke: #000a; stroke-width: 3px; fill: #fff }}
</style>
<h1>{title}</h1><p>{note}{legend}</p><main>
{figures}
</main></html>
"""


@dataclass(frozen=True, slots=True)
class Drawn:
    """One box to draw; `score` is None for a miss."""

    kind: Kind
    label: str
    score: float | None
    box: Box


def figure(frame: AnonymousFrame, caption: str, boxes: Sequence[Drawn]) -> str:
    """One picture as HTML: the hidden photo, embedded, and the boxes over it."""
    picture = Image.fromarray(frame.pixels)
    scale = min(1.0, WIDTH_PX / picture.width)
    width, height = max(1, round(picture.width * scale)), max(1, round(picture.height * scale))
    written = io.BytesIO()
    picture.resize((width, height), Image.Resampling.BILINEAR, reducing_gap=1.0).save(written, "JPEG", quality=JPEG_QUALITY)
    data = base64.b64encode(written.getvalue()).decode("ascii")
    drawn = "".join(_box(box, scale) for box in boxes)
    return (
        f'<figure><svg viewBox="0 0 {width} {height}" role="img"><image width="{width}" height="{height}" '
        f'href="data:image/jpeg;base64,{data}"/>{drawn}</svg><figcaption>{html.escape(caption)}</figcaption></figure>'
    )


def gallery_page(title: str, note: str, figures: Sequence[str]) -> str:
    """The page: HTML that needs nothing beside it."""
    legend = "".join(f'<i style="border-color: {colour}"></i>{meaning}' for colour, meaning in LOOKS.values())
    return PAGE.format(title=html.escape(title), note=html.escape(note), legend=legend, figures="\n".join(figures))


def _box(drawn: Drawn, scale: float) -> str:
    left, top, right, bottom = (value * scale for value in drawn.box)
    colour, meaning = LOOKS[drawn.kind]
    name = drawn.label if drawn.score is None else f"{drawn.label} {drawn.score:.2f}"
    dashes = ' stroke-dasharray="6 4"' if drawn.kind == "miss" else ""
    return (
        f'<rect x="{left:.1f}" y="{top:.1f}" width="{right - left:.1f}" height="{bottom - top:.1f}" stroke="{colour}"{dashes}>'
        f"<title>{html.escape(f'{name}: {meaning}')}</title></rect>"
        f'<text x="{left + 3:.1f}" y="{max(13.0, top - 4):.1f}">{html.escape(name)}</text>'
    )
