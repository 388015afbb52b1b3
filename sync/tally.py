"""What happened in a round, counted: for its report and for health."""

import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass
class Tally:
    """The counts. `hidden_area` is the sum of the photos' hidden shares."""

    detections: Counter[str] = field(default_factory=Counter)
    findings: Counter[str] = field(default_factory=Counter)
    dropped: Counter[str] = field(default_factory=Counter)
    seconds: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))
    unreadable: int = 0
    hidden_regions: int = 0
    hidden_area: float = 0.0
    clock: Callable[[], float] = time.perf_counter

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        """Add the time of the block to a stage."""
        start_s = self.clock()
        try:
            yield
        finally:
            self.seconds[stage] += self.clock() - start_s

    def add(self, seconds: Mapping[str, float]) -> None:
        """Add times per stage that were taken elsewhere."""
        for stage, spent_s in seconds.items():
            self.seconds[stage] += spent_s

    def photo(self, hidden: int, hidden_share: float, labels: Iterable[str]) -> None:
        """A photo is kept: regions hidden in it, their share of its area, and the labels detected in it."""
        self.detections.update(labels)
        self.hidden_regions += hidden
        self.hidden_area += hidden_share
