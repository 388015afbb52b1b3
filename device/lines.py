"""Bytes into lines, whatever the pieces they arrive in. Pure."""

LONGEST_LINE = 64 * 1024
"""Bytes of a line of gpsd at most: its own buffer for an answer is 10 KiB, a sky full of satellites is under 8."""


class LineSplitter:
    """Cuts a stream of bytes at its newlines and holds back what has no newline yet.

    A line over `longest` bytes is dropped up to its end and counted in `dropped`, so memory stays bounded whatever comes.
    """

    def __init__(self, longest: int = LONGEST_LINE) -> None:
        self.dropped = 0
        self._longest = longest
        self._rest = bytearray()
        self._skipping = False

    @property
    def held(self) -> int:
        """Bytes of the line that has no end yet."""
        return len(self._rest)

    def feed(self, piece: bytes) -> list[bytes]:
        """The lines that `piece` completes, without their line ends; empty ones are left out."""
        *ended, rest = piece.split(b"\n")
        lines = [line for line in map(self._end, ended) if line]
        self._hold(rest)
        return lines

    def flush(self) -> bytes:
        """What is left when the stream has ended: a last line without a newline, or nothing."""
        return self._end(b"")

    def _end(self, last: bytes) -> bytes:
        self._hold(last)
        line = b"" if self._skipping else bytes(self._rest).strip()
        self._rest.clear()
        self._skipping = False
        return line

    def _hold(self, part: bytes) -> None:
        if self._skipping:
            return
        self._rest += part
        if len(self._rest) > self._longest:
            self._rest.clear()
            self._skipping = True
            self.dropped += 1
