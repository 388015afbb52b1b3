"""What a newcomer reads at the end of the demo."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from sync.demo_truth import CLEAR_PX, HIDING_GOAL

BAR: Final = 40
"""Characters of the longest bar of the histogram."""
CLEAR: Final = {
    "plate": f"number plates; clear: {CLEAR_PX['plate']:.0f} px wide",
    "head": f"heads; clear: {CLEAR_PX['head']:.0f} px high",
}
STREETS_SCORES: Final = "Scores on a drawn street are no scores on real roads: docs/models.md has those."


def in_words(result: Mapping[str, Any]) -> str:
    """The summary: what was driven, how even the photos are, what was found and hidden, what was sent, and what comes next."""
    reports = [each["report"] for each in result["rounds"]]
    return "\n".join(
        [
            "",
            *_driven(reports),
            "",
            *_histogram(reports),
            "",
            *_found([each["findings"] for each in result["rounds"]]),
            *_changed(result["changes"], result["things"]),
            STREETS_SCORES,
            "",
            *_hidden([each["hiding"] for each in result["rounds"]]),
            "",
            *_sent(result),
            "",
            *_next(result),
        ]
    )


def _driven(reports: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    for number, report in enumerate(reports, 1):
        filled = f", {report['filled_share']:.0%} of them in a loss of the satellites" if report["filled_share"] else ""
        stood = f", {report['standing_s']:.0f} s at red lights" if report["standing_s"] else ""
        yield f"Round {number}: {report['length_m']:.0f} m, {report['frames_kept']} photos{filled}{stood}"
        yield from (f"  no photo over {gap['length_m']:.0f} m: {gap['reason']}" for gap in report["gaps"])


def _histogram(reports: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Both rounds together."""
    bins: dict[float, int] = {}
    for report in reports:
        for edge, count in report["gap_histogram_m"].items():
            bins[float(edge)] = bins.get(float(edge), 0) + count
    shares = ", ".join(f"{report['share_within']:.1%}" for report in reports if report["share_within"] is not None)
    told = reports[0]
    yield f"Metres of road from photo to photo ({shares} within {told['spacing_m']:g} ± {told['spacing_tolerance_m']:g} m)"
    most = max(bins.values(), default=1)
    for edge in sorted(bins):
        yield f"  {edge:4.1f} to {edge + 0.5:4.1f}  {'█' * max(1, round(bins[edge] / most * BAR))} {bins[edge]}"


def _found(rounds: Sequence[Mapping[str, Mapping[str, int]]]) -> Iterator[str]:
    """Both rounds together, by class: there, found and wrong, recall and precision."""
    labels = sorted({label for each in rounds for label in each})
    yield f"{'Found, against what was there to be seen':<42}{'there':>7}{'found':>7}{'wrong':>7}{'recall':>9}{'precision':>11}"
    total = {"there": 0, "found": 0, "wrong": 0}
    for label in labels:
        row = {key: sum(each.get(label, {}).get(key, 0) for each in rounds) for key in total}
        total = {key: total[key] + row[key] for key in total}
        yield _row(f"  {label.replace('_', ' ')}", row)
    yield _row("  all", total)


def _row(name: str, row: Mapping[str, int]) -> str:
    recall, precision = _share(row["found"], row["there"]), _share(row["found"], row["found"] + row["wrong"])
    return f"{name:<42}{row['there']:>7}{row['found']:>7}{row['wrong']:>7}{recall:>9}{precision:>11}"


def _changed(changes: Mapping[str, int], things: Mapping[str, int]) -> Iterator[str]:
    if changes["repaired"]:
        parts = f"{changes['repaired_found_before']} found in round 1, {changes['repaired_told']} known to be gone"
        yield f"Repaired between the rounds: {changes['repaired']} ({parts})."
    if changes["new"]:
        yield f"New damage: {changes['new']} ({changes['new_found']} found in round 2, {changes['new_told']} known to be new)."
    told = ", ".join(f"{count} {state.replace('_', ' ')}" for state, count in things.items())
    yield f"Both rounds joined, the town knows {sum(things.values())} things: {told}."


def _hidden(rounds: Sequence[Mapping[str, Mapping[str, int]]]) -> Iterator[str]:
    """Both rounds together."""
    yield f"{'Hidden before anything was written':<42}{'clear':>7}{'hidden':>8}{'':>7}{'any size':>12}{'hidden':>8}"
    clear = hidden = 0
    for label, why in CLEAR.items():
        row = {key: sum(each[label][key] for each in rounds) for key in ("all", "all_hidden", "clear", "clear_hidden")}
        clear, hidden = clear + row["clear"], hidden + row["clear_hidden"]
        of_clear = f"{row['clear']:>7}{row['clear_hidden']:>8}{_share(row['clear_hidden'], row['clear']):>7}"
        of_all = f"{row['all']:>12}{row['all_hidden']:>8}{_share(row['all_hidden'], row['all']):>7}"
        yield f"  {why:<40}{of_clear}{of_all}"
    if clear:
        met = "Met" if hidden >= HIDING_GOAL * clear else "MISSED"
        yield f"  The goal is {HIDING_GOAL:.0%} of those that are clear enough to tell who it is. {met}: {hidden / clear:.1%}."


def _sent(result: Mapping[str, Any]) -> Iterator[str]:
    stored = ", ".join(f"{count} {stream}" for stream, count in result["stored"].items())
    yield f"Sent: {result['sent_bytes'] / 1000:.0f} kB; the photos, {result['photo_bytes'] / 1e6:.0f} MB, stay in the car."
    yield f"The town's receiver has stored {stored}" + (
        "; the outbox is empty." if result["done"] else "; NOT ALL WAS DELIVERED."
    )
    yield f"It took {result['took_s']:.0f} s, and {result['cpu_s']:.0f} s of processor."


def _next(result: Mapping[str, Any]) -> Iterator[str]:
    folder = result["folder"]
    yield "Look at"
    yield f"  {folder}/unit/frames/       the photos, as they are stored"
    yield f"  {folder}/findings.geojson   the findings, for QGIS or any other map"
    yield f"  {folder}/unit/ronde.db      the car's database; receiver.db beside it is the town's"
    yield "Try next"
    yield "  ronde replay DRIVE --out DIR    drive a recording of your own dash camera: docs/drives.md"
    yield "  ronde provision fleet ...       set up a fleet, its units and their cards: docs/fleet-it.md"
    yield "  docs/backend.md                 the contract: topics, events, and a consumer in 30 lines"


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.0%}" if whole else "-"
