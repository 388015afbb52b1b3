"""`python -m device.street`: a labelled set, or the scene itself, of the street."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from device.street.coco import write_set
from device.street.furnish import make_scene
from device.street.geometry import Pinhole
from device.street.scene_file import write_scene
from device.street.seeds import PURPOSES

DONE = 0


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; gives its exit code."""
    given = _parser().parse_args(arguments)
    if given.scene is not None:
        write_scene(make_scene(given.purpose, given.seed), given.scene)
    if given.coco is not None:
        camera = Pinhole(given.width, given.height, given.height_m, given.pitch_deg, given.yaw_deg, given.hfov_deg)
        document = write_set(given.coco, given.frames, given.seed, given.purpose, camera, say=_say)
        boxes = sum(not each["iscrowd"] for each in document["annotations"])
        print(f"{given.coco}: {len(document['images'])} pictures, {boxes} boxes")
    return DONE


def _say(done: int, of: int) -> None:
    if sys.stderr.isatty():
        print(f"\r{done}/{of}", end="\n" if done == of else "", file=sys.stderr)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m device.street",
        description="Draws the simulated street. Reads nothing; writes what is asked for: the same seed gives the same bytes.",
        epilog="exit codes: 0 done; 2 wrong use",
    )
    parser.add_argument("--coco", type=Path, metavar="OUT", help="write OUT/images and OUT/truth.json (COCO) into this folder")
    parser.add_argument("--scene", type=Path, metavar="FILE", help="write the scene of the seed as JSON")
    parser.add_argument("--frames", type=_positive, default=100, metavar="N", help="how many pictures (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1, metavar="S", help="which towns (default: %(default)s)")
    parser.add_argument(
        "--purpose",
        choices=PURPOSES,
        default="training",
        help="whose towns: no two share a picture of anything (default: %(default)s)",
    )
    camera = parser.add_argument_group("camera")
    camera.add_argument("--width", type=_positive, default=640)
    camera.add_argument("--height", type=_positive, default=480)
    camera.add_argument("--height-m", type=float, default=1.35)
    camera.add_argument("--pitch-deg", type=float, default=6.0)
    camera.add_argument("--yaw-deg", type=float, default=0.0)
    camera.add_argument("--hfov-deg", type=float, default=63.0)
    return parser


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} is not above 0")
    return value


if __name__ == "__main__":
    sys.exit(main())
