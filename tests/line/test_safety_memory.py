"""Without a permission there is no safety model in the capture's memory: not mapped, not open, not one page of its bytes."""

import importlib.util
import json
import os
import sqlite3
from contextlib import closing
from datetime import datetime, timedelta, timezone
from pathlib import Path

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519

from device.street.live import live_drive
from provisioning.authorisation import KIND, text_of
from provisioning.certificate import public_pem
from provisioning.signed import signed
from sync.audit import LOG
from sync.faults.child import Child, ronde
from sync.faults.ground import ground, until

PAGE = 4096
PAGES = 700
MARK = np.random.default_rng(5).bytes(48)
"""Stands in each page of the model's tail, and nowhere else in the world."""
DEADLINE_S = 120.0
TOWN = ed25519.Ed25519PrivateKey.generate()


@pytest.fixture
def model(tmp_path):
    """A small model with a tail by which its bytes are known wherever they lie: the runtime does not mind it."""
    found = importlib.util.spec_from_file_location("tiny_models", Path(__file__).parents[1] / "inference" / "conftest.py")
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    noise = np.random.default_rng(6)
    tail = b"".join(MARK + noise.bytes(PAGE - len(MARK)) for _ in range(PAGES))
    return module.write_model(tmp_path, "fire-and-smoke", "safety", spoil=lambda content: content + tail)


def memory(pid):
    """The regions of a process: begin, end, rights, and the file that is mapped there."""
    for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
        span, rights, *_, name = line.split(maxsplit=5) if line.count(" ") >= 5 else (*line.split(), "")
        begin, end = (int(each, 16) for each in span.split("-"))
        yield begin, end, rights, name.strip()


def found_in(pid, model):
    """(pages of the model in the memory, whether it is mapped, whether it is open)."""
    seen, mapped = 0, False
    with Path(f"/proc/{pid}/mem").open("rb", buffering=0) as raw:
        for begin, end, rights, name in memory(pid):
            mapped |= model.name in name
            if "r" not in rights or name in ("[vvar]", "[vsyscall]"):
                continue
            try:
                seen += os.pread(raw.fileno(), end - begin, begin).count(MARK)
            except OSError:
                continue  # a region that nobody may read, or that has gone meanwhile
    opened = [each.readlink().name for each in Path(f"/proc/{pid}/fd").iterdir() if each.is_symlink()]
    return seen, mapped, model.name in opened


def permit(folder):
    origin = live_drive().scene.origin
    west, south, east, north = (
        origin.longitude_deg - 0.1,
        origin.latitude_deg - 0.1,
        origin.longitude_deg + 0.1,
        origin.latitude_deg + 0.1,
    )
    now = datetime.now(timezone.utc)
    document = {
        "kind": KIND,
        "number": 1,
        "authority": "le maire",
        "legal_reference": "arrêté 2026-114",
        "units": ["cannes/car-07"],
        "area": {"type": "Polygon", "coordinates": [[[west, south], [east, south], [east, north], [west, north], [west, south]]]},
        "from": text_of(now - timedelta(days=1)),
        "to": text_of(now + timedelta(days=1)),
        "events": ["outbreak_of_fire"],
    }
    (folder / "authorisation.json").write_text(json.dumps(signed(document, TOWN)))


def noted(state):
    return [json.loads(line)["what"] for line in (state / LOG).read_text().splitlines()] if (state / LOG).exists() else []


def frames(state):
    if not (state / "ronde.db").exists():
        return 0
    with closing(sqlite3.connect(f"file:{state}/ronde.db?mode=ro", uri=True, timeout=10)) as db:
        try:
            return db.execute("SELECT count(*) FROM frame").fetchone()[0]
        except sqlite3.OperationalError:
            return 0


def test_it_is_there_with_a_permission_and_at_no_other_time(tmp_path, model):
    state, etc = tmp_path / "state", tmp_path / "etc"
    etc.mkdir()
    (etc / "town.pem").write_bytes(public_pem(TOWN.public_key()))
    config = etc / "ronde.toml"
    config.write_text(
        f'[unit]\nfleet = "cannes"\nname = "car-07"\nstate = "{state}"\n[camera]\nkind = "simulated"\nwidth = 320\nheight = 240\n'
        f'fps = 15\n[models]\nsafety = "{model}"\n'
    )
    with ground() as place:
        capture = Child(place, ronde("capture", "--config", config))
        until(lambda: frames(state) >= 1 and noted(state), "a frame is kept, and the log says that nothing is loaded", DEADLINE_S)
        assert found_in(capture.pid, model) == (0, False, False)
        assert set(noted(state)) == {"model_not_loaded"}

        permit(etc)
        until(lambda: "model_loaded" in noted(state), "the model is loaded", DEADLINE_S)
        there, _, _ = found_in(capture.pid, model)
        assert there >= PAGES, "else this search would never find anything"

        (etc / "authorisation.json").unlink()
        until(lambda: "model_unloaded" in noted(state), "it is unloaded", DEADLINE_S)
        pages, mapped, opened = found_in(capture.pid, model)
        assert pages <= 2, "what is freed goes back, but for the ends of a piece that share their page with something else"
        assert (mapped, opened) == (False, False)
        before = frames(state)
        until(lambda: frames(state) > before, "the survey goes on", DEADLINE_S)
        assert capture.stop() == 0
