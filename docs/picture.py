"""Draws the README's picture: hidden photos of a replay with the boxes of what was found.

Usage: python docs/picture.py FOLDER OUT.jpg SOURCE...
FOLDER is a replay's, or `unit` of a demo's; each SOURCE is the name of a frame in the recorded drive, or a frame's id.
"""

import sqlite3
import sys
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from inference.labels import BY_NAME

COLOURS = {"road": "#ffb000", "cover": "#4cc3ff", "sign": "#9bff57"}
WIDTH = 640


def drawn(folder: Path, db: sqlite3.Connection, source: str) -> Image.Image:
    """One stored photo with its detections."""
    frame_id, file = db.execute("SELECT id, file FROM frame WHERE source = ? OR id = ?", [source, source]).fetchone()
    photo = Image.open(folder / file).convert("RGB")
    pen = ImageDraw.Draw(photo)
    font = ImageFont.load_default(13)
    for label, score, *box in db.execute(
        'SELECT label, score, "left", "top", "right", "bottom" FROM detection WHERE frame_id = ?', [frame_id]
    ):
        colour = COLOURS[BY_NAME[label].kind]
        pen.rectangle(box, outline=colour, width=2)
        words = f"{label} {score:.2f}"
        wide = pen.textlength(words, font=font) + 4
        left, top = min(box[0], photo.width - wide), max(0.0, box[1] - 16)
        pen.rectangle((left, top, left + wide, top + 16), fill=colour)
        pen.text((left + 2, top + 1), words, fill="black", font=font)
    return photo.resize((WIDTH, WIDTH * photo.height // photo.width))


def main() -> None:
    """Two photos side by side in each row."""
    folder, out, *sources = sys.argv[1:]
    db = sqlite3.connect(Path(folder) / "ronde.db")
    photos = [drawn(Path(folder), db, source) for source in sources]
    height = photos[0].height
    sheet = Image.new("RGB", (2 * WIDTH, height * -(-len(photos) // 2)))
    for number, photo in enumerate(photos):
        sheet.paste(photo, (number % 2 * WIDTH, number // 2 * height))
    sheet.save(out, quality=88)
    db.close()


if __name__ == "__main__":
    main()
