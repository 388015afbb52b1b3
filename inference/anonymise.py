"""Hide, then keep: the only frame that may be stored, cropped or sent."""

from dataclasses import dataclass

from device.frame import Pixels, Place


@dataclass(frozen=True, slots=True, eq=False)
class AnonymousFrame:
    """A photo in which every person's head, face and plate that was found is hidden.

    It is no `Frame`: what writes takes only this type, so the type checker proves that no raw pixel is written.
    `hidden` are the hidden regions, (left, top, right, bottom) in pixels; `hidden_share` is their part of the picture's area.
    """

    pixels: Pixels
    place: Place
    hidden: tuple[tuple[int, int, int, int], ...]
    hidden_share: float
    source: str | None = None
