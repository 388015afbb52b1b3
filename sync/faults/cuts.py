"""The power goes: the file system stops in an instant, with what the kernel had not written yet lost for good.

An ext4 file system in an image of its own is told to shut down without its journal (EXT4_IOC_SHUTDOWN, NOLOGFLUSH), as when the
current is gone; then it is mounted again. What the card itself has taken is taken: a card that lies about its own cache cannot be
tried so.
"""

import fcntl
import os
import struct
from pathlib import Path
from typing import Final

from sync.faults.car import Car
from sync.faults.ground import Disk, pause, until
from sync.faults.journal import audit_backend, audit_unit
from sync.faults.need import EXT4, LOOP, MOSQUITTO, ROOT
from sync.faults.row import Plan, Row, Tally
from sync.faults.town import Town

EXT4_IOC_SHUTDOWN: Final = 0x8004587D
NOLOGFLUSH: Final = 2

IMAGE_MIB = 256
UP_S = 5.0
"""From the start of the process after a cut to the first frame that it keeps."""
LONGEST_S = 3.0
"""A cut comes up to so long after the first frame: a finding is told two frames later, when its thing has gone by."""
CANARY: Final = bytes(range(256)) * 256
"""Written without fsync just before the cut: where it survives, the cut has cut nothing off, and does not count."""
EVERY_S: Final = 1 / 3
"""Between two frames of three events each: 9 events/s."""


def run(plan: Plan, tally: Tally) -> None:
    """Drive and deliver on the image, cut, mount, look, go on."""
    town = Town(plan.ground)
    disk = Disk(plan.ground, "card", IMAGE_MIB)
    car = Car(plan.ground, town, state=disk.mount_point / "state")
    car.state.mkdir()
    slowest_s = 0.0
    for _ in range(plan.load):
        up_s, hit = _cut(car, disk, float(plan.rng.uniform(0.0, LONGEST_S)))
        slowest_s = max(slowest_s, up_s)
        tally.injected += hit
        audit_unit(car.journal, car.state, tally)
    sync = car.sync()
    car.drained()
    sync.stop()
    audit_unit(car.journal, car.state, tally)
    audit_backend(car.journal, car.unit, town, tally)
    tally.check(slowest_s <= UP_S, f"up {slowest_s:.1f} s after a cut, allowed are {UP_S:g} s")
    tally.measured |= {"slowest start s": round(slowest_s, 2), "photos": len(car.journal.photos)}


def _cut(car: Car, disk: Disk, after_s: float) -> tuple[float, bool]:
    """One drive to the cut; the seconds to its first frame, and whether the cut took what nobody had made durable."""
    kept = car.journal.kept
    writer = car.write("--every-s", EVERY_S)
    sync = car.sync()
    up_s = until(lambda: car.journal.kept > kept, "a frame is kept after the cut")
    pause(after_s)
    alive = writer.alive()
    canary = disk.mount_point / "canary"
    canary.write_bytes(CANARY)
    shut_down(disk.mount_point)
    writer.kill()
    sync.kill()
    disk.unmount()
    disk.mount()
    lost = not canary.exists() or canary.read_bytes() != CANARY
    canary.unlink(missing_ok=True)
    return up_s, alive and lost


def shut_down(mount_point: Path) -> None:
    """Stop an ext4 file system at once, without writing its journal."""
    handle = os.open(mount_point, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.ioctl(handle, EXT4_IOC_SHUTDOWN, struct.pack("I", NOLOGFLUSH))
    finally:
        os.close(handle)


ROW = Row(
    "cuts",
    "power cuts, photos on, 9 events/s",
    short=3,
    full=100,
    needs=(MOSQUITTO, EXT4, ROOT, LOOP),
    run=run,
)
