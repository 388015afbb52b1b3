"""The gallery's page."""

import base64
import io
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

from device.frame import Frame, Place
from inference.anonymise import hide
from inference.gallery import Drawn, figure, gallery_page

PLACE = Place(43.55, 7.01, 3.0, 90.0, 8.0, 120.0, "between_fixes", None, "unset")


def kept(width, height):
    return hide(Frame(np.full((height, width, 3), 90, np.uint8), 1.0, PLACE), [])


@pytest.mark.parametrize(("width", "height", "scale"), [(1440, 1000, 0.5), (360, 200, 1.0)])
def test_boxes_lie_on_the_picture_as_it_is_shown(width, height, scale):
    shown = figure(kept(width, height), "a.jpg", [Drawn("alarm", "pothole", 0.5, (100, 40, 300, 160))])
    box = dict(re.findall(r'(\w+)="([\d.]+)"', re.search(r"<rect[^>]*>", shown).group()))
    assert [float(box[side]) for side in ("x", "y", "width", "height")] == [100 * scale, 40 * scale, 200 * scale, 120 * scale]
    (data,) = re.findall(r"base64,([A-Za-z0-9+/=]+)", shown)
    assert Image.open(io.BytesIO(base64.b64decode(data))).size == (round(width * scale), round(height * scale))


def test_the_page_needs_nothing_else_and_names_cannot_break_it():
    figures = [
        figure(kept(64, 48), '<script>"&.jpg', [Drawn("miss", "a<b", None, (1, 2, 30, 40)), Drawn("hit", "c", 0.9, (1, 2, 3, 4))])
    ]
    page = gallery_page("roads-1 on <val>", "1 of 1 pictures. ", figures)
    tags = []
    parser = HTMLParser()
    parser.handle_starttag = lambda tag, attributes: tags.append((tag, dict(attributes)))
    parser.feed(page)
    names = [tag for tag, _ in tags]
    assert "script" not in names
    assert names.count("rect") == 2
    assert all(value.startswith("data:") for _, attributes in tags for key, value in attributes.items() if key in {"href", "src"})
