"""The last good copy of the configuration: what a unit goes on with when a power cut has torn the file.

The copy lies beside the file, or where that folder is not ours to write, below `/var/lib/ronde`.
"""

import hashlib
from pathlib import Path

from provisioning.durable import write_durably

ELSEWHERE = Path("/var/lib/ronde")


def read_good(file: Path) -> bytes | None:
    """The last good copy of `file`; None where there is none."""
    return next((content for content in map(_read, _places(file)) if content is not None), None)


def keep_good(file: Path) -> Path | None:
    """Keeps what stands in `file`, which was read and is in order, as the last good copy.

    Returns where it was written; None where it lay there already, or no place takes it.
    """
    content = file.read_bytes()
    if read_good(file) == content:
        return None
    return next((place for place in _places(file) if _written(place, content)), None)


def _read(place: Path) -> bytes | None:
    try:
        return place.read_bytes()
    except OSError:
        return None


def _written(place: Path, content: bytes) -> bool:
    try:
        write_durably(place, content)
    except OSError:
        return False
    return True


def save(file: Path, text: str) -> None:
    """Changes a configuration: whenever the power goes, the file holds the old text or the new one.

    The caller has parsed the text: this writes what it is given.

    Raises:
        OSError: the disk did not take it; the file is as it was.
    """
    write_durably(file, text.encode())


def is_beginning(content: bytes, good: bytes) -> bool:
    """Whether a file is what a cut has left of its last good copy."""
    return len(content) < len(good) and good.startswith(content)


def _places(file: Path) -> tuple[Path, Path]:
    which = hashlib.sha256(str(file.absolute()).encode()).hexdigest()[:8]
    return file.with_name(f"{file.name}.good"), ELSEWHERE / f"{file.name}-{which}.good"
