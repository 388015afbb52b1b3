"""Rows out of a damaged SQLite file, page by page: no tree is walked and no schema is read, so no broken page hides another.

Source of the format: https://www.sqlite.org/fileformat2.html. A row stands in a leaf of a table (page type 13) as a record;
what does not fit into its page goes on in a chain of overflow pages. Newer versions of pages stand in the write-ahead log.
"""

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, Final

PAGE: Final = 4096
"""Every database of ronde is made with pages of so many bytes."""

HEADER: Final = 100
"""Bytes of the first page before its tree begins."""

LEAF: Final = 13
LOG_MAGIC: Final = (0x377F0682, 0x377F0683)
LOG_HEADER: Final = 32
FRAME_HEADER: Final = 24
LARGEST_ROW: Final = 4 * 1024 * 1024

Record = tuple[int, list[Any]]
"""A row's number and its values as they stand: the alias of the number is None."""

BROKEN: Final = (ValueError, IndexError, struct.error)
"""What reading a broken page may raise."""


class Pages:
    """The pages of a database file with its write-ahead log, open for reading."""

    def __init__(self, file: Path) -> None:
        self._main = file.open("rb")
        self._log: BinaryIO | None = None
        self._logged: dict[int, int] = {}
        log = file.with_name(file.name + "-wal")
        if log.is_file():
            self._log = log.open("rb")
            self._logged = _committed(self._log, log.stat().st_size)
        self.count = max(-(-file.stat().st_size // PAGE), *self._logged, 0)
        self._free = self._free_pages()

    def close(self) -> None:
        """Closes the files."""
        self._main.close()
        if self._log is not None:
            self._log.close()

    def page(self, number: int) -> bytes:
        """The newest version of a page, the first is 1; short or empty where the file ends before."""
        if self._log is not None and number in self._logged:
            self._log.seek(self._logged[number])
            return self._log.read(PAGE)
        self._main.seek((number - 1) * PAGE)
        return self._main.read(PAGE)

    def records(self, number: int) -> Iterator[Record]:
        """The rows in a page, none where it is no leaf of a table or is free; what cannot be read is left out."""
        page = self.page(number)
        start = HEADER if number == 1 else 0
        if len(page) < PAGE or page[start] != LEAF or number in self._free:
            return
        (cells,) = struct.unpack_from(">H", page, start + 3)
        for n in range(min(cells, PAGE // 4)):
            record = self._record(page, start + 8 + 2 * n)
            if record is not None:
                yield record

    def _record(self, page: bytes, pointer: int) -> Record | None:
        """The row to which a pointer at this offset leads; None where it leads to none."""
        try:
            return self._read(page, *struct.unpack_from(">H", page, pointer))
        except BROKEN:
            return None

    def _read(self, page: bytes, offset: int) -> Record:
        size, offset = _varint(page, offset)
        rowid, offset = _varint(page, offset)
        if not 0 < size <= LARGEST_ROW:
            raise ValueError(size)
        local = _local(size)
        content = page[offset : offset + local]
        if len(content) < local:
            raise ValueError(local)
        if local < size:
            (next_page,) = struct.unpack_from(">I", page, offset + local)
            content += self._overflow(next_page, size - local)
        return rowid - (1 << 64) if rowid >= 1 << 63 else rowid, _values(content)

    def _overflow(self, number: int, size: int) -> bytes:
        parts: list[bytes] = []
        while size > 0:
            page = self.page(number) if number else b""
            part = page[4 : 4 + min(size, PAGE - 4)]
            if not part or number in self._free:
                raise ValueError(number)
            parts.append(part)
            size -= len(part)
            (number,) = struct.unpack_from(">I", page)
        return b"".join(parts)

    def _free_pages(self) -> set[int]:
        """The pages that hold nothing: rows that have left long ago may still be seen in them."""
        free: set[int] = set()
        first = self.page(1)
        trunk = struct.unpack_from(">I", first, 32)[0] if len(first) >= HEADER else 0
        while 0 < trunk <= self.count and trunk not in free:
            free.add(trunk)
            page = self.page(trunk)
            if len(page) < PAGE:
                break
            trunk, leaves = struct.unpack_from(">II", page)
            free.update(struct.unpack_from(f">{min(leaves, PAGE // 4 - 2)}I", page, 8))
        return free


def _committed(log: BinaryIO, size: int) -> dict[int, int]:
    """Where the newest committed version of each page begins in a write-ahead log."""
    header = log.read(LOG_HEADER)
    if len(header) < LOG_HEADER or struct.unpack_from(">I", header)[0] not in LOG_MAGIC:
        return {}
    committed: dict[int, int] = {}
    pending: dict[int, int] = {}
    for start in range(LOG_HEADER, size - FRAME_HEADER - PAGE + 1, FRAME_HEADER + PAGE):
        log.seek(start)
        number, pages, *salts = struct.unpack(">IIII", log.read(16))
        if struct.pack(">II", *salts) != header[16:24]:
            break
        pending[number] = start + FRAME_HEADER
        if pages:
            committed.update(pending)
            pending.clear()
    return committed


def _local(size: int) -> int:
    """How many bytes of a row stand in its leaf."""
    most = PAGE - 35
    if size <= most:
        return size
    least = (PAGE - 12) * 32 // 255 - 23
    fitting = least + (size - least) % (PAGE - 4)
    return fitting if fitting <= most else least


def _varint(content: bytes, offset: int) -> tuple[int, int]:
    value = 0
    for n in range(8):
        byte = content[offset + n]
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            return value, offset + n + 1
    return value << 8 | content[offset + 8], offset + 9


def _values(record: bytes) -> list[Any]:
    end, offset = _varint(record, 0)
    kinds = []
    while offset < end:
        kind, offset = _varint(record, offset)
        kinds.append(kind)
    values: list[Any] = []
    for kind in kinds:
        size = _size(kind)
        content = record[offset : offset + size]
        if len(content) < size:
            raise ValueError(size)
        values.append(_value(kind, content))
        offset += size
    return values


def _size(kind: int) -> int:
    if kind in (10, 11):
        raise ValueError(kind)
    return (kind - 12) // 2 if kind >= 12 else (0, 1, 2, 3, 4, 6, 8, 8, 0, 0)[kind]


def _value(kind: int, content: bytes) -> Any:
    if kind >= 12:
        return content.decode("utf-8") if kind % 2 else content
    if kind == 7:
        return struct.unpack(">d", content)[0]
    if kind in (8, 9):
        return kind - 8
    return int.from_bytes(content, "big", signed=True) if kind else None
