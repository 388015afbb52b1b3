"""The audit log: what is added stays, what a hand does to it is found, and what a power cut does is told."""

import json
import multiprocessing
import os
import shutil

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sync.audit import HEAD, LOG, Audit, AuditNotWritten, Head
from sync.audit_check import AuditRefused, examine
from sync.command import main

LINES = 12


@pytest.fixture
def log(tmp_path):
    """A log of some lines."""
    for number in range(LINES):
        Audit(tmp_path).append("command_obeyed", {"sequence": number + 1, "do": "pause", "outcome": "done"})
    assert examine(tmp_path).wrong == ()
    return tmp_path


def lines_of(folder):
    return (folder / LOG).read_bytes().splitlines(keepends=True)


def put(folder, lines):
    (folder / LOG).write_bytes(b"".join(lines))


def test_lines_are_numbered_chained_and_said(log, capsys):
    examined = examine(log)
    assert [each["n"] for each in examined.entries] == list(range(1, LINES + 1))
    assert examined.head.lines == LINES
    assert main(["audit", str(log)]) == 0
    out = capsys.readouterr().out
    assert out.count('do="pause"') == LINES
    assert f"last line: {LINES}:{examined.head.sha256}" in out
    assert main(["audit", str(log), "--check", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told == {"lines": LINES, "sha256": examined.head.sha256, "in_order": True, "wrong": [], "mended": 0, "torn_bytes": 0}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The same, shared by many examples: each copies it."""
    folder = tmp_path_factory.mktemp("whole")
    for number in range(LINES):
        Audit(folder).append("paused", {"by": f"command {number}"})
    return folder


def copied(whole, tmp_path_factory):
    target = tmp_path_factory.mktemp("copy")
    for name in (LOG, HEAD):
        shutil.copy(whole / name, target / name)
    return target


@settings(max_examples=80, deadline=None)
@given(data=st.data())
def test_a_changed_byte_is_found(whole, tmp_path_factory, data):
    folder = copied(whole, tmp_path_factory)
    content = bytearray((folder / LOG).read_bytes())
    at = data.draw(st.integers(0, len(content) - 1))
    content[at] ^= data.draw(st.integers(1, 255))
    (folder / LOG).write_bytes(content)
    examined = examine(folder)
    assert examined.wrong or examined.torn_bytes
    if not examined.wrong:  # the last line's end: it looks like a power cut, and audit.head knows better once a line is added
        pytest.fail("a changed byte looks like nothing")


@pytest.mark.parametrize("gone", range(LINES))
def test_a_removed_line_is_found_the_last_too(log, gone):
    lines = lines_of(log)
    put(log, lines[:gone] + lines[gone + 1 :])
    assert examine(log).wrong


@pytest.mark.parametrize(("one", "other"), [(0, 1), (3, 7), (LINES - 2, LINES - 1)])
def test_lines_that_change_places_are_found(log, one, other):
    lines = lines_of(log)
    lines[one], lines[other] = lines[other], lines[one]
    put(log, lines)
    assert examine(log).wrong


def test_a_line_that_is_put_in_or_said_twice_is_found(log):
    lines = lines_of(log)
    put(log, [*lines[:4], lines[3], *lines[4:]])
    assert examine(log).wrong
    put(log, [*lines, lines[-1]])
    assert examine(log).wrong


def test_whatever_a_hand_has_done_is_found_after_further_lines_too(log):
    lines = lines_of(log)
    put(log, lines[:-3])
    Audit(log).append("resumed", {"by": "the driver"})
    examined = examine(log)
    assert "3 lines that had been written were gone when line 10 was added" in examined.wrong
    assert main(["audit", str(log), "--check"]) == 3


def test_a_log_that_was_written_anew_is_found_by_what_a_backend_was_told(log, capsys):
    told = examine(log).head
    for name in (LOG, HEAD):
        (log / name).unlink()
    for _ in range(LINES):
        Audit(log).append("paused", {"by": "the driver"})
    assert examine(log).wrong == (), "by itself it is a log like any other"
    assert examine(log, told).wrong == (f"line {LINES} is another than by what was told once",)
    assert main(["audit", str(log), "--head", f"{told.lines}:{told.sha256}"]) == 3
    assert examine(log, Head(LINES + 5, "0" * 64)).wrong
    assert main(["audit", str(log), "--head", "12"]) == 2
    assert "is not LINES:SHA256" in capsys.readouterr().err


def test_without_its_head_a_log_is_not_believed(log):
    (log / HEAD).unlink()
    assert examine(log).wrong


@pytest.mark.parametrize("share", [0.0, 0.02, 0.5, 0.98, 1.0])
def test_a_line_that_a_power_cut_tears_is_told_by_the_next(log, share):
    """The cut comes in the middle of a write: the head does not know of the line yet."""
    head = (log / HEAD).read_bytes()
    Audit(log).append("paused", {"by": "the driver"})
    lines = lines_of(log)
    torn = lines[-1][: round(share * (len(lines[-1]) - 1))]
    put(log, [*lines[:-1], torn])
    (log / HEAD).write_bytes(head)
    assert examine(log).wrong == ()
    assert examine(log).torn_bytes == len(torn)
    Audit(log).append("resumed", {"by": "the driver"})
    examined = examine(log)
    assert examined.wrong == ()
    assert examined.entries[-1]["what"] == "resumed"
    if 0 < share < 1:
        assert examined.mended == 1
        repair = examined.entries[-2]
        assert (repair["what"], repair["about"]) == ("log_repaired", {"torn_bytes": len(torn), "lines_lost": 0})
    else:  # nothing of it was written, or all but its end: it counts
        assert examined.mended == 0
        assert len(examined.entries) == LINES + (2 if share else 1)


def test_zeros_where_a_line_should_be_are_a_torn_line_too(log):
    with (log / LOG).open("ab") as out:
        out.write(bytes(300))
    Audit(log).append("resumed", {"by": "the driver"})
    examined = examine(log)
    assert (examined.wrong, examined.mended) == ((), 1)


def test_a_line_that_was_durable_and_is_torn_is_no_power_cut(log):
    content = (log / LOG).read_bytes()
    (log / LOG).write_bytes(content[:-40])
    assert examine(log).wrong == (f"there were {LINES} lines by audit.head, and there are {LINES - 1}",)
    Audit(log).append("resumed", {"by": "the driver"})
    assert "1 lines that had been written were gone when line 13 was added" in examine(log).wrong


def test_a_log_that_is_gone_is_missed(log):
    (log / LOG).unlink()
    Audit(log).append("resumed", {"by": "the driver"})
    assert f"{LINES} lines that had been written were gone when line 1 was added" in examine(log).wrong
    with pytest.raises(AuditRefused, match="nothing was noted yet"):
        examine(log.parent)


def add(folder, what):
    for _ in range(15):
        Audit(folder).append(what, {"by": "the driver"})


def test_processes_add_lines_beside_each_other(tmp_path):
    context = multiprocessing.get_context("fork")
    workers = [context.Process(target=add, args=(tmp_path, what)) for what in ("paused", "resumed", "erased")]
    for each in workers:
        each.start()
    for each in workers:
        each.join(60)
        assert each.exitcode == 0
    examined = examine(tmp_path)
    assert (len(examined.entries), examined.wrong) == (45, ())


def test_no_line_tells_where_the_car_was(tmp_path):
    for name in ("latitude_deg", "lon", "coordinates"):
        with pytest.raises(ValueError, match="tells where the car was"):
            Audit(tmp_path).append("paused", {name: 1.0})
    with pytest.raises(ValueError, match="is no short text"):
        Audit(tmp_path).append("paused", {"by": "x" * 501})
    assert not (tmp_path / LOG).exists()


def test_a_disk_that_takes_nothing_is_said(tmp_path):
    (tmp_path / LOG).mkdir()
    with pytest.raises(AuditNotWritten, match="cannot be written"):
        Audit(tmp_path).append("paused", {"by": "the driver"})


def test_it_is_written_out_as_it_is(log, tmp_path, capsys):
    out = tmp_path / "out"
    out.mkdir()
    assert main(["audit", str(log), "--check", "--out", str(out / LOG)]) == 0
    assert (out / LOG).read_bytes() == (log / LOG).read_bytes()
    assert main(["audit", str(out.parent / "nowhere")]) == 2
    assert main(["audit", str(log), "--out", str(out)]) == 2
    assert "cannot be written" in capsys.readouterr().err


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root: the folder is another user's")
def test_what_root_adds_the_service_can_go_on_with(tmp_path):
    state = tmp_path / "state"
    state.mkdir()
    os.chown(state, 1234, 1234)
    for folder in (*tmp_path.parents, tmp_path):
        if folder.stat().st_uid == 0 and folder.stat().st_mode & 0o011 != 0o011 and str(folder).startswith("/tmp/pytest"):
            folder.chmod(0o755)
    Audit(state).append("erased", {"by": "a person"})
    assert {file.stat().st_uid for file in state.iterdir()} == {1234}
