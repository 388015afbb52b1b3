"""What a round came to: `report.json`, and the same in words."""

import json
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from device.spacing import TOLERANCE_M
from inference.scale import STRETCHES_M
from sync.line import Line

REPORT = "report.json"

REASONS: Final = {
    "no_frame": "the camera gave no frame near enough to a mark",
    "no_fix": "the fix was lost",
    "frame_unreadable": "the frame could not be read",
    "hiding_failed": "people could not be hidden for certain",
    "disk": "the photo could not be written",
}
"""Reasons of a gap, for a person."""


def report_of(line: Line, round_id: str, models: Mapping[str, str], source: Mapping[str, Any]) -> dict[str, Any]:
    """The report of a finished round.

    Args:
        line: the line that drove it.
        round_id: its id.
        models: model name to sha256.
        source: what only the source of frames knows: frames_unreadable, speed_source, geometry.
    """
    spacing, tally = line.spacing, line.tally
    seconds = {stage: round(spent, 3) for stage, spent in sorted(tally.seconds.items())}
    spent_s = sum(tally.seconds.values())
    return {
        "round_id": round_id,
        "software": version("ronde"),
        "models": dict(models),
        "frames_read": line.chooser.ring.read,
        "frames_kept": spacing.frames,
        "marks": spacing.marks,
        "gaps": [
            {"odometer_m": round(gap.odometer_m, 2), "length_m": round(gap.length_m, 2), "reason": gap.reason}
            for gap in spacing.gaps
        ],
        "length_m": round(line.chooser.odometer_m, 2),
        "gap_histogram_m": spacing.histogram_m(),
        "share_within": _rounded(spacing.share_within),
        "spacing_m": spacing.spacing_m,
        "spacing_tolerance_m": TOLERANCE_M,
        "standing_s": round(line.chooser.standing_s, 1),
        "standing_frames": spacing.standing,
        "filled_share": _rounded(spacing.filled_share),
        "hidden_regions": tally.hidden_regions,
        "hidden_area_share": _rounded(tally.hidden_area / spacing.frames if spacing.frames else None),
        "detections": dict(sorted(tally.detections.items())),
        "findings": dict(sorted(tally.findings.items())),
        "dropped": dict(sorted(tally.dropped.items())),
        **source,
        "seconds": seconds,
        "invoke_share": _rounded(tally.seconds["invoke"] / spent_s if spent_s else None),
    }


def write_report(folder: Path, report: Mapping[str, Any]) -> None:
    """Write `report.json` as a whole."""
    partial = folder / (REPORT + ".part")
    partial.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    partial.replace(folder / REPORT)


def in_words(report: Mapping[str, Any]) -> str:
    """The report as a person reads it in a terminal."""
    share, seconds = report["share_within"], report["seconds"]
    spent_s = sum(seconds.values())
    lines = [
        f"round {report['round_id']}: {report['length_m']:.0f} m, {report['frames_kept']} photos of {report['marks']} marks",
        f"spacing: {_percent(share)} of the distances are within {report['spacing_m']:g} +- {report['spacing_tolerance_m']:g} m",
        f"standing: {report['standing_s']:.0f} s, {report['standing_frames']} photos taken there",
        f"hidden: {report['hidden_regions']} regions, {_percent(report['hidden_area_share'])} of the area of a photo on average",
        "found: "
        + (", ".join(f"{count} {label}" for label, count in report["findings"].items()) or "nothing")
        + f", from {sum(report['detections'].values())} detections",
    ]
    lines += _graded(report.get("grades", ()), report.get("reasons", {}))
    if report["frames_unreadable"]:
        lines.append(f"unreadable: {report['frames_unreadable']} frames, left out")
    if report["speed_source"] == "positions":
        lines.append("speed: the recording has none; it was derived from smoothed positions, so distances are less sure")
    if report["geometry"] == "assumed":
        lines.append("geometry: the recording does not tell it; the default camera is assumed, so findings may be metres off")
    lines += [f"gaps: {_gaps(reason, report['gaps'])}" for reason in sorted({gap["reason"] for gap in report["gaps"]})]
    if spent_s:
        parts = ", ".join(f"{stage} {spent / spent_s:.0%}" for stage, spent in sorted(seconds.items(), key=lambda item: -item[1]))
        lines.append(f"time: {spent_s:.1f} s: {parts}")
    return "\n".join(lines)


def _graded(grades: Sequence[Mapping[str, Any]], reasons: Mapping[str, int]) -> list[str]:
    """The grades of the coarse stretches, and why some have none."""
    coarse = [each for each in grades if each["stretch_m"] == STRETCHES_M[0]]
    told = [each["grade"] for each in coarse if each["grade"] is not None]
    lines = []
    if coarse:
        spread = f", from {min(told):.1f} to {max(told):.1f}" if told else ""
        lines.append(
            f"graded: {len(told)} of {len(coarse)} stretches of {STRETCHES_M[0]:.0f} m{spread} (1 very good, 5 very bad)"
        )
    if reasons:
        photos = ", ".join(f"{count} {reason}" for reason, count in reasons.items())
        lines.append(f"photos that grade nothing: {photos}")
    return lines


def _gaps(reason: str, gaps: Sequence[Mapping[str, Any]]) -> str:
    lengths_m = [gap["length_m"] for gap in gaps if gap["reason"] == reason]
    return f"{len(lengths_m)} times {REASONS.get(reason, reason)}, the longest over {max(lengths_m):.0f} m"


def _percent(share: float | None) -> str:
    return "none" if share is None else f"{share:.1%}"


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)
