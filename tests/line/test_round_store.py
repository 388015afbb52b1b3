"""A disk that fails in the middle of the line is the world's failure: it is named, and nothing of the round is lost."""

from contextlib import contextmanager
from datetime import datetime, timezone
from types import MappingProxyType

import numpy as np
import pytest

from device.frame import Frame
from inference.anonymise import hide
from inference.look import Looked
from provisioning.settings import Unit
from sync.database import open_database
from sync.failure import DatabaseFailed
from sync.round_store import Recipients, RoundStore
from sync.rounds import sweep

PIXELS = np.full((48, 64, 3), 90, np.uint8)


@contextmanager
def timed(_stage):
    yield


def test_a_photo_that_the_disk_does_not_let_go_is_named_and_swept_later(tmp_path):
    db = open_database(tmp_path / "ronde.db")
    store = RoundStore(db, tmp_path, "aaaaaaaa-1", Recipients(Unit("cannes", "car-07", tmp_path), ()), "c" * 64)
    store.begin(datetime(2026, 5, 4, 9, tzinfo=timezone.utc), "0", {}, {})
    frame_id = store.keep_ahead(Looked(hide(Frame(PIXELS, 0.0, None), []), (), MappingProxyType({})), timed)
    (file,) = db.conn.execute("SELECT file FROM frame WHERE id = ?", [frame_id]).fetchone()
    photo = tmp_path / file
    content = photo.read_bytes()
    photo.unlink()
    photo.mkdir()  # what unlink() refuses even to root
    with pytest.raises(DatabaseFailed, match="cannot be removed") as failed:
        store.remove(frame_id)
    assert failed.value.code == "disk_error"
    photo.rmdir()
    photo.write_bytes(content)
    assert sweep(db, tmp_path) == 1
    assert not photo.exists()
    db.close()
