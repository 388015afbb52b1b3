"""The boot partition of a card in a reader: found by what is on it, and mounted where it is not."""

import json
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from provisioning.card import CardRefused

LABELS: Final = ("bootfs", "boot", "system-boot", "CIDATA", "cidata")
"""Of the partitions that systems start from, and of a seed's stick."""
FILE_SYSTEM: Final = "vfat"
MOUNT_OPTIONS: Final = "umask=077"
THIS_MACHINE: Final = ("/", "/boot", "/boot/efi", "/boot/firmware", "/home", "/usr", "/var", "[SWAP]")


@contextmanager
def boot_partition(device: Path) -> Iterator[Path]:
    """The folder of a card's boot partition, for the length of the block; unmounted afterwards if it was mounted by this.

    Raises:
        CardRefused: it is this machine's own disk, it has no such partition, or it cannot be mounted.
    """
    tree = _tree(device)
    mounted = {str(each) for node in _nodes(tree) for each in node.get("mountpoints") or () if each}
    own = sorted(mounted & set(THIS_MACHINE))
    if own:
        raise CardRefused(f"{device} is this machine's own disk: {own[0]} is on it")
    found = [node for node in _nodes(tree) if _is_boot(Path(node["path"]))]
    if len(found) != 1:
        many = "several partitions" if found else "no partition"
        raise CardRefused(f"{device} has {many} labelled {', '.join(LABELS)} ({FILE_SYSTEM}); is it a freshly flashed card?")
    where = next((each for each in found[0].get("mountpoints") or () if each), None)
    if where is not None:
        yield Path(where)
        return
    with tempfile.TemporaryDirectory(prefix="ronde-card-") as folder:
        _run("mount", "-t", FILE_SYSTEM, "-o", MOUNT_OPTIONS, found[0]["path"], folder)
        try:
            yield Path(folder)
        finally:
            _run("umount", folder)


def _tree(device: Path) -> dict[str, Any]:
    (tree,) = json.loads(_run("lsblk", "--json", "--output", "PATH,TYPE,MOUNTPOINTS", str(device)))["blockdevices"]
    return dict(tree)


def _nodes(tree: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield tree
    for child in tree.get("children") or ():
        yield from _nodes(child)


def _is_boot(partition: Path) -> bool:
    """By the file system itself: lsblk knows labels only where udev runs."""
    done = subprocess.run(["blkid", "--probe", "--output", "export", partition], capture_output=True, text=True, check=False)
    told = dict(line.partition("=")[::2] for line in done.stdout.splitlines())
    return told.get("TYPE") == FILE_SYSTEM and told.get("LABEL") in LABELS


def _run(*command: str) -> str:
    try:
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout
    except FileNotFoundError:
        raise CardRefused(f"the program {command[0]} is not here; mount the card, and name the folder") from None
    except subprocess.CalledProcessError as error:
        why = error.stderr.strip().splitlines()
        raise CardRefused(
            f"{' '.join(command)}: {why[0] if why else error.returncode}; mount the card, and name the folder"
        ) from error
