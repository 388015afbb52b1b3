"""The command: its table and its exit codes, what is skipped, and that nothing is left behind."""

import contextlib
import io
import json
import os
import re
import statistics
import subprocess
import sys
from pathlib import Path

import pytest

from provisioning.log import set_up
from sync import bench_drain, bench_outbox
from sync.command import DONE, OUR_FAULT, WRONG_USE, main
from sync.faults import programme
from sync.faults.child import Child
from sync.faults.ground import TooLate, ground, until
from sync.faults.need import MOSQUITTO, Need
from sync.faults.programme import ROWS, bench_faults
from sync.faults.proxy import Line, Proxy
from sync.faults.row import Row

PROJECT = Path(__file__).parents[2]


def row(name, run, needs=(), load=2):
    return Row(name, f"{name}, for a test", short=load, full=load, needs=needs, run=run)


def well(plan, tally):
    tally.injected, tally.committed = plan.load, 5


def loses(plan, tally):
    tally.injected, tally.committed, tally.lost = plan.load, 5, 1


def hits_nothing(_plan, tally):
    tally.injected = 1


def breaks_off(_plan, _tally):
    raise TooLate("not within 1 s: something")


@pytest.fixture(autouse=True)
def _log_ends_with_the_test():
    yield
    set_up(stream=io.StringIO())


@pytest.fixture
def rows(monkeypatch):
    def use(*rows):
        monkeypatch.setattr(programme, "ROWS", rows)

    return use


def verdicts():
    return {each["row"]: each["verdict"] for each in bench_faults((), "short", 1, lambda _: None)["rows"]}


def test_what_is_lost_hits_nothing_or_breaks_off_is_no_pass(rows):
    rows(row("well", well), row("loses", loses), row("hits", hits_nothing), row("breaks", breaks_off))
    assert verdicts() == {"well": "passed", "loses": "failed", "hits": "failed", "breaks": "failed"}


def test_a_row_that_the_machine_cannot_run_is_skipped_with_its_reason(rows, capsys):
    rows(row("far", well, needs=(Need(lambda: "strace is not installed"),)))
    assert main(["bench", "faults", "--load", "short"]) == DONE
    out = capsys.readouterr().out
    assert "skipped: strace is not installed" in out
    assert "0 passed, 0 failed, 1 skipped (seed 1)" in out


def test_the_command_prints_a_line_a_row_and_ends_with_1_where_one_fails(rows, capsys):
    rows(row("well", well), row("loses", loses))
    assert main(["bench", "faults", "--load", "short"]) == OUR_FAULT
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split()[:3] == ["row", "load", "took"]
    assert [line.split()[0] for line in lines[1:3]] == ["well", "loses"]
    assert lines[3] == "    failed: 1 lost, 0 twice"


def test_json_is_one_object_and_the_lines_go_to_stderr(rows, capsys):
    rows(row("well", well))
    assert main(["bench", "faults", "--only", "well", "--json", "--seed", "7"]) == DONE
    out, err = capsys.readouterr()
    told = json.loads(out)
    assert (told["seed"], told["load"], told["failed"]) == (7, "full", False)
    assert told["commit"] is None or re.fullmatch(r"[0-9a-f]{7,}\+?", told["commit"])
    assert re.fullmatch(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ", told["begun_at"])
    assert told["rows"][0]["injected"] == 2
    assert "well" in err


def test_a_row_that_does_not_exist_and_an_option_of_another_bench_are_refused(capsys):
    assert main(["bench", "faults", "--only", "storms"]) == WRONG_USE
    assert "there is no row storms; there are kills, writes" in capsys.readouterr().err
    assert main(["bench", "line", "--load", "short"]) == WRONG_USE
    assert "--load belongs to bench faults" in capsys.readouterr().err


def test_a_process_and_its_children_end_with_the_ground_whatever_happens():
    spawn = "import subprocess, time; print(subprocess.Popen(['sleep', '600']).pid, flush=True); time.sleep(600)"
    pids = []
    with contextlib.suppress(KeyboardInterrupt), ground() as place:
        child = Child(place, [sys.executable, "-c", spawn], line=lambda said: pids.append(int(said)))
        until(lambda: bool(pids), "the process has started another", 20.0)
        folder = place.folder
        raise KeyboardInterrupt
    assert not folder.exists()
    assert not child.alive()
    until(lambda: not _runs(pids[0]), "what it started has ended", 20.0)


def _runs(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False).stdout
    return not state.startswith("Z") and bool(state)


def test_what_was_promised_and_does_not_come_is_told():
    with pytest.raises(TooLate, match=r"not within 0\.1 s: rain"):
        until(lambda: False, "rain", 0.1)


def test_a_bad_line_counts_what_it_does():
    import socket

    with socket.create_server(("127.0.0.1", 0)) as broker:
        proxy = Proxy(broker.getsockname()[1], Line(answer=b"no"))
        with socket.create_connection(("127.0.0.1", proxy.port), timeout=10) as unit:
            unit.sendall(b"hello")
            assert unit.recv(100) == b"no"
            assert unit.recv(100) == b""
        assert (proxy.hurt, len(proxy.connects)) == (1, 1)
        proxy.heal()
        with socket.create_connection(("127.0.0.1", proxy.port), timeout=10) as unit:
            unit.sendall(b"hello")
            far, _ = broker.accept()
            assert far.recv(100) == b"hello"
            far.close()
            assert unit.recv(100) == b""
        assert proxy.hurt == 1
        proxy.close()


def test_bench_outbox_measures_all_that_it_promises(monkeypatch):
    if MOSQUITTO.missing():
        pytest.skip(MOSQUITTO.missing())
    for module, name, small in (
        (bench_outbox, "INSERTS", 50),
        (bench_outbox, "DRAWN_S", 3.0),
        (bench_drain, "ROUNDS", 2),
        (bench_drain, "DRAINED", 1_500),
        (bench_drain, "WARM", 20),
        (bench_drain, "FEW", 50),
    ):
        monkeypatch.setattr(module, name, small)
    result = bench_outbox.bench_outbox(behind=300)
    rates = {name for name in result if name.endswith("_per_s")}
    assert rates == {"inserts_per_s", "bare_per_s", "bare_stored_per_s", "drain_per_s"}
    for name in (*rates, "drain_per_s_behind", "insert_bytes", "frame_bytes", "drain_bytes", "drain_cpu_us"):
        assert result[name] > 0, name
    assert result["frame_bytes"] > result["photo_bytes"] > 1000
    assert result["drain_apart"] == pytest.approx(abs(1.0 - statistics.median(result["drain_behind_of_few_rounds"])), abs=0.02)
    assert len(result["drain_of_bare_rounds"]) == 2
    assert "rows behind" in bench_outbox.in_words(result)


def test_each_row_stands_on_its_page_with_its_loads():
    page = (PROJECT / "docs" / "programme.md").read_text(encoding="utf-8").partition("## Measured")[0]
    cells = re.findall(r"^\| `(\w+)` \|[^|]*\| (\d[\d,]*)\b[^|]*\| (\d[\d,]*)\b", page, flags=re.MULTILINE)
    told = {name: (short, full.rstrip(",")) for name, short, full in cells}
    assert told == {row.name: (f"{row.short:,}", f"{row.full:,}") for row in ROWS}


def test_each_row_is_measured_on_its_page_at_its_full_load_or_named_as_not_measured():
    page = (PROJECT / "docs" / "programme.md").read_text(encoding="utf-8").partition("## Measured")[2]
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in page.splitlines() if line.startswith("| `")]
    measured = {name.strip("`"): (load, took, lost, twice, verdict) for name, load, took, _, lost, twice, verdict, *_ in cells}
    missing = re.findall(r"`(\w+)`", page.partition("Not measured at their full load yet:")[2].partition("\n")[0])
    assert sorted([*measured, *missing]) == sorted(row.name for row in ROWS)
    for row in ROWS:
        if row.name in measured:
            load, took, *outcome = measured[row.name]
            assert load == f"{row.full:,}"
            assert int(took.replace(",", "")) >= row.full
            assert outcome == ["0", "0", "passed"]
