"""The units, as systemd's own tools read them, and what they promise: who sees does not speak, and nobody waits for a network."""

import argparse
import os
import re
import shutil
import subprocess
from collections import defaultdict
from pathlib import Path

import pytest

from sync import renewal
from sync.arguments import build_parser

UNITS = Path(__file__).parents[2] / "systemd"
SERVICES = sorted(UNITS.glob("*.service"))
FILES = sorted([*SERVICES, *UNITS.glob("*.target"), *UNITS.glob("*.timer"), *UNITS.glob("*.path")])
OURS = [file for file in SERVICES if file.stem != "ronde-again"]
"""Those that run `ronde`."""
MOST_EXPOSED = 2.0
STOP_S = 5
NETWORK_OR_TIME = re.compile(r"network|time-sync|time-set|timesync|chrony|ntp|cloud-")


def read(file):
    """(section, key) to its values in order; an empty value is kept, since it empties a list."""
    values, section = defaultdict(list), ""
    for line in file.read_text(encoding="utf-8").splitlines():
        if line.startswith("["):
            section = line.strip("[]")
        elif line and not line.startswith("#"):
            key, _, value = line.partition("=")
            values[section, key].append(value)
    return values


def service(name):
    return {key: values for (section, key), values in read(UNITS / f"ronde-{name}.service").items() if section == "Service"}


@pytest.fixture(scope="module")
def analyze():
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("systemd-analyze is not installed")
    return program


@pytest.fixture
def root(tmp_path):
    """A root as the package leaves it, with systemd's own units beside ours."""
    system = next((Path(each) for each in ("/usr/lib/systemd/system", "/lib/systemd/system") if Path(each).is_dir()), None)
    if system is None:
        pytest.skip("systemd's own units are not installed")
    shutil.copytree(system, tmp_path / "usr/lib/systemd/system", symlinks=True)
    for file in FILES:
        shutil.copy(file, tmp_path / "usr/lib/systemd/system")
    for command in ("opt/ronde/bin/ronde", "usr/bin/systemctl"):
        (tmp_path / command).parent.mkdir(parents=True)
        (tmp_path / command).write_text("#!/bin/sh\n")
        (tmp_path / command).chmod(0o755)
    return tmp_path


def verified(analyze, root):
    """What `systemd-analyze verify` says: it ends with 0 even where it complains."""
    done = subprocess.run(
        [analyze, "verify", "--man=no", f"--root={root}", *(file.name for file in FILES)],
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout + done.stderr


def test_systemd_finds_nothing_wrong_with_the_units(analyze, root):
    assert verified(analyze, root) == ""


def test_systemd_would_find_what_is_wrong(analyze, root):
    unit = root / "usr/lib/systemd/system/ronde-capture.service"
    unit.write_text(unit.read_text().replace("Type=notify", "Type=notify\nWatchdog=3"))
    (root / "opt/ronde/bin/ronde").unlink()
    said = verified(analyze, root)
    assert "Unknown key 'Watchdog'" in said or "Unknown key name 'Watchdog'" in said
    assert "/opt/ronde/bin/ronde is not executable" in said


@pytest.mark.parametrize("file", SERVICES, ids=lambda file: file.stem)
def test_each_service_is_exposed_to_little(analyze, file):
    done = subprocess.run(
        [analyze, "security", "--offline=yes", "--no-pager", file],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "LC_ALL": "C"},
    )
    found = re.search(r"Overall exposure level for \S+: ([\d.]+)", done.stdout)
    assert found, done.stdout + done.stderr
    assert float(found[1]) <= MOST_EXPOSED, found[0]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_nothing_waits_for_the_network_or_the_time(file):
    """docs/faults.md, 12: time-sync.target waits for ever where there is no network, and with it whoever is ordered after it."""
    values = read(file)
    waits = [
        value
        for key in ("After", "Wants", "Requires", "Requisite", "BindsTo", "Upholds", "ConditionPathExists", "AssertPathExists")
        for value in values["Unit", key]
    ]
    waits += [
        value for (_, key), each in values.items() if key in ("ExecStartPre", "ExecCondition", "OnCalendar") for value in each
    ]
    assert not [value for value in waits if NETWORK_OR_TIME.search(value)]


def test_the_target_is_reached_at_once():
    """A target is ordered after what it wants; a oneshot among that would hold it up until it ends."""
    (wanted,) = read(UNITS / "ronde.target")["Unit", "Wants"]
    for name in wanted.split():
        assert (UNITS / name).exists()
        if name.endswith(".service"):
            assert read(UNITS / name)["Service", "Type"] != ["oneshot"], name
            assert read(UNITS / name)["Install", "WantedBy"] == ["ronde.target"]
        assert read(UNITS / name)["Unit", "PartOf"] == ["ronde.target"], f"{name} does not end with the target"


def test_who_sees_cannot_speak():
    capture = service("capture")
    assert capture["IPAddressDeny"] == ["any"]
    assert capture["IPAddressAllow"] == ["localhost"]
    assert capture["RestrictNetworkInterfaces"] == ["lo"]
    assert capture["SocketBindDeny"] == ["any"]
    assert "/etc/ronde/tls" in capture["InaccessiblePaths"][0]
    assert capture["MemorySwapMax"] == ["0"]


def test_who_speaks_cannot_see():
    sync = service("sync")
    assert sync["PrivateDevices"] == ["yes"]
    assert "DeviceAllow" not in sync
    assert "SupplementaryGroups" not in sync
    for name in ("provision", "renew", "renew-now"):
        assert service(name)["PrivateDevices"] == ["yes"]
        assert service(name)["InaccessiblePaths"] == ["-/var/lib/ronde"]


def test_the_panel_has_the_units_own_network_and_neither_cameras_nor_keys_nor_photos():
    panel = service("panel")
    assert panel["IPAddressDeny"] == ["any"]
    assert panel["IPAddressAllow"] == ["localhost 10.42.0.0/24"]
    assert panel["DevicePolicy"] == ["closed"]
    assert panel["DeviceAllow"] == ["char-gpiochip rw"]
    assert {"-/etc/ronde/tls", "-/var/lib/ronde/frames"} <= set(panel["InaccessiblePaths"][0].split())


@pytest.mark.parametrize("file", SERVICES, ids=lambda file: file.stem)
def test_no_service_leaves_its_memory_on_a_disk(file):
    values = read(file)
    assert values["Service", "LimitCORE"] == ["0"]
    if file in OURS:
        assert values["Service", "CoredumpFilter"] == ["0"]


@pytest.mark.parametrize("file", OURS, ids=lambda file: file.stem)
def test_each_service_ends_within_five_seconds_and_starts_a_command_that_there_is(file):
    values = read(file)
    assert values["Service", "TimeoutStopSec"] == [f"{STOP_S}s"]
    (start,) = values["Service", "ExecStart"]
    program, *arguments = start.split()
    assert program == "/opt/ronde/bin/ronde"
    (commands,) = (each for each in build_parser()._actions if isinstance(each, argparse._SubParsersAction))
    if arguments[0] not in commands.choices:
        pytest.skip(f"this version has no `ronde {arguments[0]}`")
    assert build_parser().parse_args(arguments).command == arguments[0]


def test_the_watchdog_is_fed_where_there_is_one():
    for file in OURS:
        values = read(file)
        if values["Service", "WatchdogSec"]:
            assert values["Service", "Type"] == ["notify"]
            assert values["Service", "NotifyAccess"] == ["main"]


@pytest.mark.parametrize("name", ["capture", "sync", "panel"])
def test_a_fault_that_stays_costs_ten_starts_every_five_minutes(name):
    values = read(UNITS / f"ronde-{name}.service")
    assert values["Service", "Restart"] == ["always"]
    assert (values["Unit", "StartLimitIntervalSec"], values["Unit", "StartLimitBurst"]) == (["5min"], ["10"])
    assert values["Unit", "OnFailure"] == ["ronde-again.timer"]
    timer = read(UNITS / "ronde-again.timer")
    assert timer["Timer", "OnActiveSec"] == ["5min"]
    # Else it stays active after it has elapsed, and the second failure finds it so and starts nothing.
    assert timer["Timer", "RemainAfterElapse"] == ["no"]


def test_a_certificate_is_renewed_on_command_by_the_same_service_but_for_one_word():
    """`ronde sync` touches the file that the path unit watches (sync/renewal.py), and starts nothing itself."""
    assert read(UNITS / "ronde-renew-now.path")["Path", "PathChanged"] == [f"/var/lib/ronde/{renewal.ASKED}"]
    (wanted,) = read(UNITS / "ronde.target")["Unit", "Wants"]
    assert "ronde-renew-now.path" in wanted.split()
    now, when_due = service("renew-now"), service("renew")
    assert now.pop("ExecStart") == [f"{when_due.pop('ExecStart')[0]} --always"]
    assert now == when_due


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root: other users own what it makes")
def test_the_user_and_the_folders_are_made(tmp_path):
    for program in ("systemd-sysusers", "systemd-tmpfiles"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed")
    (tmp_path / "etc").mkdir()
    (tmp_path / "var/lib").mkdir(parents=True)
    subprocess.run(["systemd-sysusers", f"--root={tmp_path}", UNITS / "sysusers.d/ronde.conf"], check=True, capture_output=True)
    users = dict(line.split(":", 1) for line in (tmp_path / "etc/passwd").read_text().splitlines())
    groups = {line.split(":")[0]: line.split(":")[2:] for line in (tmp_path / "etc/group").read_text().splitlines()}
    assert set(groups) == {"ronde", "video", "gpio"}
    assert all("ronde" not in members for _, members in groups.values()), "the user itself can open neither camera nor GPIO"
    uid, gid = map(int, users["ronde"].split(":")[1:3])
    subprocess.run(["systemd-tmpfiles", f"--root={tmp_path}", "--create", UNITS / "tmpfiles.d/ronde.conf"], check=True)
    found = {
        path: (oct((tmp_path / path).stat().st_mode & 0o7777), (tmp_path / path).stat().st_uid, (tmp_path / path).stat().st_gid)
        for path in ("etc/ronde", "etc/ronde/tls", "var/lib/ronde")
    }
    assert found == {
        "etc/ronde": ("0o755", 0, 0),
        "etc/ronde/tls": ("0o2750", 0, gid),
        "var/lib/ronde": ("0o750", uid, gid),
    }


def test_the_udev_rules_are_lines_of_keys_and_values():
    key = r'[A-Z]+(\{\w+\})?(==|!=|=|\+=)"[^"]*"'
    for line in (UNITS / "udev/60-ronde.rules").read_text().splitlines():
        assert line.startswith("#") or re.fullmatch(rf"{key}(, {key})*", line), line
