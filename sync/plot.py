"""`ronde replay --plot`: how evenly a round was photographed, as a picture for a person. Needs the extra `plot` (matplotlib)."""

import importlib.util
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from device.earth import east_north_m
from sync.report import REASONS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

BIN_M = 0.1
WIDEST_M = 12.0
"""Longer distances between photos go into the last bin."""

WIDTH_IN, HEIGHT_IN = 11.0, 5.0
PHOTO, FILLED, GAP = "tab:blue", "tab:orange", "tab:red"


class PlotRefused(Exception):
    """The picture cannot be drawn; one sentence that says what is missing."""


def check_plot(file: Path) -> None:
    """See beforehand that a picture can be drawn into `file`, so that no round is driven in vain.

    Raises:
        PlotRefused: matplotlib is not installed, `file` is no SVG, or there is no such folder.
    """
    if file.suffix != ".svg":
        raise PlotRefused(f"--plot {file}: the picture is an SVG, so its name must end in .svg")
    if not file.parent.is_dir():
        raise PlotRefused(f"--plot {file}: there is no folder {file.parent}")
    if importlib.util.find_spec("matplotlib") is None:
        raise PlotRefused("--plot needs matplotlib, which is not installed: install ronde with its extra [plot]")


def plot_round(db_file: Path, report: Mapping[str, Any], file: Path) -> None:
    """Draw the distances between the photos of the report's round, and its road with what has no photo.

    The same round gives the same bytes.

    Raises:
        PlotRefused: as `check_plot`.
    """
    check_plot(file)
    import matplotlib as mpl  # noqa: PLC0415 - of an extra: only this command needs it
    from matplotlib.figure import Figure  # noqa: PLC0415

    frames = _frames(db_file, report["round_id"])
    # The ids inside an SVG are random, unless they are salted.
    with mpl.rc_context({"svg.hashsalt": report["round_id"]}):
        figure = Figure(figsize=(WIDTH_IN, HEIGHT_IN), layout="constrained")
        left, right = figure.subplots(1, 2)
        _draw_distances(left, [later[0] - earlier[0] for earlier, later in pairwise(frames)], report)
        _draw_road(right, frames, report["gaps"])
        share = report["share_within"]
        within = f", {share:.1%} of the distances right" if share is not None else ""
        figure.suptitle(f"round {report['round_id']}: {report['length_m']:.0f} m, {len(frames)} photos{within}")
        figure.savefig(file, format="svg", metadata={"Date": None})


_Photo = tuple[float, float, float, bool]
"""Odometer, latitude, longitude, and whether it was placed in a loss of fix."""


def _frames(db_file: Path, round_id: str) -> list[_Photo]:
    query = (
        "SELECT odometer_m, latitude_deg, longitude_deg, position_source <> 'between_fixes' FROM frame "
        "WHERE round_id = ? AND latitude_deg IS NOT NULL ORDER BY odometer_m"
    )
    with closing(sqlite3.connect(f"{db_file.resolve().as_uri()}?mode=ro", uri=True)) as db:
        return [(odometer_m, lat, lon, bool(filled)) for odometer_m, lat, lon, filled in db.execute(query, [round_id])]


def _draw_distances(axes: "Axes", distances_m: Sequence[float], report: Mapping[str, Any]) -> None:
    """The histogram, with the band that counts as right."""
    spacing_m, tolerance_m = report["spacing_m"], report["spacing_tolerance_m"]
    widest_m = max(WIDEST_M, 2.0 * spacing_m)
    edges = [BIN_M * number for number in range(round(widest_m / BIN_M) + 1)]
    axes.axvspan(spacing_m - tolerance_m, spacing_m + tolerance_m, color="0.88", label=f"{spacing_m:g} ± {tolerance_m:g} m")
    axes.hist([min(distance_m, widest_m - BIN_M / 2.0) for distance_m in distances_m], bins=edges, color=PHOTO)
    axes.set_xlabel(f"metres of road between two photos (the last bar: {widest_m:g} and more)")
    axes.set_ylabel("how many")
    axes.legend()


def _draw_road(axes: "Axes", frames: Sequence[_Photo], gaps: Sequence[Mapping[str, Any]]) -> None:
    """Photos where they were taken, north up, and a line over each gap."""
    if not frames:
        axes.set_title("no photo has a place")
        return
    origin = frames[0][1:3]
    spots = [(odometer_m, *east_north_m(*origin, lat, lon), filled) for odometer_m, lat, lon, filled in frames]
    for wanted, colour, label in ((False, PHOTO, "photo"), (True, FILLED, "photo placed without a fix")):
        chosen = [(east_m, north_m) for _, east_m, north_m, filled in spots if filled == wanted]
        if chosen:
            axes.plot(*zip(*chosen, strict=True), ".", color=colour, markersize=3, label=f"{label} ({len(chosen)})")
    for reason in sorted({gap["reason"] for gap in gaps}):
        of_reason = [gap for gap in gaps if gap["reason"] == reason]
        for number, gap in enumerate(of_reason):
            ends_m = (gap["odometer_m"], gap["odometer_m"] + gap["length_m"])
            line = [_nearest(spots, end_m) for end_m in ends_m]
            label = f"gap: {REASONS.get(reason, reason)} ({len(of_reason)})" if number == 0 else "_"
            axes.plot(*zip(*line, strict=True), "-", color=GAP, linewidth=2, label=label)
    axes.set_aspect("equal", adjustable="datalim")
    axes.set_xlabel("metres east of the first photo")
    axes.set_ylabel("metres north")
    axes.legend(fontsize="small")


def _nearest(spots: Sequence[tuple[float, float, float, bool]], odometer_m: float) -> tuple[float, float]:
    """Where the photo nearest to a reading was taken: a gap begins and ends at photos, but for a round's ends."""
    _, east_m, north_m, _ = min(spots, key=lambda spot: abs(spot[0] - odometer_m))
    return east_m, north_m
