"""What is known of things, for a map and for exports: read only, and the same for each database."""

from abc import ABC, abstractmethod
from collections.abc import Collection, Sequence
from typing import Any, Final

from sync.receiver.asking import LIMIT, Condition, asked, most, one_of, since_time
from sync.receiver.seen import Box, Judged, ThingKnown, Visit

# In the order of the fields of what they become. The latest finding of a thing may have been deleted.
THING: Final = (
    "SELECT number, id, label, state, state_at, score, latitude_deg, longitude_deg, uncertainty_m, area_m2, severity, "
    "(SELECT finding.frames FROM finding WHERE finding.seq = last_seq), rounds, missed, first_seen_at, last_seen_at, "
    "visited_at, judgement, judged_at, judged_by, note, "
    "(SELECT finding.source FROM finding WHERE finding.seq = last_seq), "
    "(SELECT finding.finding_id FROM finding WHERE finding.seq = last_seq), "
    "EXISTS (SELECT 1 FROM finding JOIN evidence ON evidence.finding_id = finding.finding_id AND "
    "evidence.source = finding.source WHERE finding.seq = last_seq), "
)
IN_ROUND: Final = (
    "(SELECT min(thing_history.state) FROM thing_history WHERE thing_history.thing = number AND thing_history.round_id = ?)"
)
"""What a round made of a thing; the car may have passed it twice."""
VISIT: Final = (
    "SELECT thing_history.source, thing_history.round_id, at, state, reason, finding.finding_id, thing_history.label, "
    "thing_history.score, thing_history.latitude_deg, thing_history.longitude_deg, thing_history.uncertainty_m, "
    "thing_history.area_m2, thing_history.severity, thing_history.heading_deg, patch, EXISTS (SELECT 1 FROM evidence WHERE "
    "evidence.finding_id = finding.finding_id AND evidence.source = finding.source) "
    "FROM thing_history LEFT JOIN finding ON finding.seq = thing_history.seq"
)
JUDGED: Final = 'SELECT judgement, "by", note, at FROM judgement WHERE thing = ? ORDER BY n'


class ThingAtlas(ABC):
    """Every question may raise `DatabaseFailed`, and `ValueError` for what nobody can ask."""

    @abstractmethod
    def _rows(self, sql: str, values: Sequence[Any]) -> Sequence[Sequence[Any]]:
        """The rows of one statement with `?` for its values."""

    @abstractmethod
    def _points(self, box: Box, table: str) -> tuple[str, Condition]:
        """Where to look for the rows of `finding` or `thing` in a box: the table, and the condition."""

    def things(
        self,
        *,
        box: Box | None = None,
        labels: Collection[str] = (),
        states: Collection[str] = (),
        judgements: Collection[str] = (),
        round_id: str | None = None,
        since: str | None = None,
        limit: int = LIMIT,
        after: int = 0,
    ) -> Sequence[ThingKnown]:
        """Things after number `after`, in the order in which they became known; an empty filter leaves all.

        With `round_id`, what that round saw, had in view or passed, and `states` are those that it made of them. `since` is the
        moment from which on a thing has its state. `judgements` may have `none` for what nobody judged.
        """
        table = "thing"
        where: list[Condition] = [("number > ?", [after]), *one_of("label", labels), *since_time("state_at", since)]
        where += _judged(judgements)
        if box is not None:
            table, inside = self._points(box, "thing")
            where.append(inside)
        if round_id is None:
            select, begins = f"{THING}NULL FROM {table}", list[Any]()
            where += one_of("state", states)
        else:
            select, begins = f"{THING}{IN_ROUND} FROM {table}", [round_id]
            where.append(("number IN (SELECT thing FROM thing_history WHERE round_id = ?)", [round_id]))
            where += [(f"{IN_ROUND} {condition}", [round_id, *values]) for condition, values in one_of("", states)]
        sql, values = asked(select, where, "number", most(limit))
        return [_known(row) for row in self._rows(sql, [*begins, *values])]

    def thing(self, id_: str) -> ThingKnown | None:
        """The thing with this id."""
        return next((_known(row) for row in self._rows(f"{THING}NULL FROM thing WHERE id = ?", [id_])), None)

    def history(self, thing: ThingKnown, limit: int = LIMIT) -> Sequence[Visit]:
        """What the latest rounds made of a thing, the earliest first."""
        sql, values = asked(VISIT, [("thing = ?", [thing.number])], "at DESC, n DESC", most(limit))
        return [Visit(*(*row[:-1], bool(row[-1]))) for row in reversed(self._rows(sql, values))]

    def judgements(self, thing: ThingKnown) -> Sequence[Judged]:
        """What people said of a thing, the earliest first."""
        return [Judged(*row) for row in self._rows(JUDGED, [thing.number])]


def _judged(judgements: Collection[str]) -> list[Condition]:
    words = [each for each in judgements if each != "none"]
    conditions = [*one_of("judgement", words), *([("judgement IS NULL", ())] if "none" in judgements else [])]
    if not conditions:
        return []
    return [(f"({' OR '.join(text for text, _ in conditions)})", [value for _, some in conditions for value in some])]


def _known(row: Sequence[Any]) -> ThingKnown:
    return ThingKnown(*(*row[:-2], bool(row[-2]), row[-1]))
