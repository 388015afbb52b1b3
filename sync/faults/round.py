"""A unit whose real `ronde capture` drives: a recorded drive for a camera, and a gpsd that tells of a car on the road."""

import json
from pathlib import Path

from device.street.recording import draw_drive
from sync.faults.car import Car
from sync.faults.child import Child, ronde
from sync.faults.ground import Ground
from sync.faults.satellites import Satellites
from sync.faults.town import Town

WIDTH, HEIGHT, DRAWN_S = 320, 240, 4.0
FRAME_KEPT = '"event": "frame_kept"'


class Round:
    """Draws the drive, starts the gpsd, and writes the configuration; `capture` starts the process."""

    def __init__(self, ground: Ground, town: Town, name: str, *, speed_mps: float, rate_hz: float, fps: int) -> None:
        self._ground = ground
        drive: Path = ground.folder / f"drive-{name}"
        draw_drive(drive, seconds=DRAWN_S, width=WIDTH, height=HEIGHT, fps=fps)
        satellites = Satellites(speed_mps, rate_hz)
        ground.at_end(satellites.close)
        self.car = Car(ground, town, name)
        camera = f'[camera]\nkind = "recorded"\ndrive = "{drive}"\nwidth = {WIDTH}\nheight = {HEIGHT}\nfps = {fps}\n'
        self.car.configure(town.broker.url, f"[gps]\nport = {satellites.port}\n{camera}")

    def capture(self, *, verbose: bool = False) -> Child:
        """Start `ronde capture`; where it is `verbose`, the frames that it tells to be kept go into the car's journal."""
        options = ("--verbose",) if verbose else ()
        return Child(self._ground, ronde("capture", "--config", self.car.config, *options), said=self._hear)

    def _hear(self, line: str) -> None:
        if FRAME_KEPT in line:
            self.car.journal.frame(str(json.loads(line[line.index("{") :])["frame_id"]))
