"""Keeps what was made, within a bound of bytes: what was not asked for longest goes first."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

Kept = TypeVar("Kept")


class Shelf(Generic[Kept]):
    """Things by name, at most `most_bytes` of them; the last one stays however large it is."""

    def __init__(self, most_bytes: int, size: Callable[[Kept], int]) -> None:
        self._most_bytes = most_bytes
        self._size = size
        self._kept: OrderedDict[Hashable, Kept] = OrderedDict()
        self.bytes = 0

    def get(self, name: Hashable, make: Callable[[], Kept]) -> Kept:
        """The thing of that name, made if it is not here."""
        found = self._kept.get(name)
        if found is not None:
            self._kept.move_to_end(name)
            return found
        made = self._kept[name] = make()
        self.bytes += self._size(made)
        while self.bytes > self._most_bytes and len(self._kept) > 1:
            _, old = self._kept.popitem(last=False)
            self.bytes -= self._size(old)
        return made
