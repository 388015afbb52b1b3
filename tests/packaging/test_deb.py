"""The package as dpkg treats it, in a Debian of its own: install, upgrade, downgrade, remove, purge, and the power that goes."""

import os
import shutil
import sqlite3
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(
    "RONDE_DEBS" not in os.environ, reason="it takes minutes and a Debian: ./run deb-test makes both and runs this"
)
BEFORE, AFTER = "98.0.0", "99.0.0"
UNITS = ("ronde.target", "ronde-capture.service", "ronde-sync.service", "ronde-panel.service", "ronde-provision.service")
WORKS = {"package names", "runtime", "privacy model", "roads model"}
"""The doctor's checks of the software itself."""


def kept(root):
    """All that has to outlive an upgrade: path to content."""
    state, settings = root.folder / "var/lib/ronde", root.folder / "etc/ronde"
    files = [
        file for file in (*state.rglob("*"), *settings.rglob("*")) if file.is_file() and not file.name.endswith(("-wal", "-shm"))
    ]
    assert len([file for file in files if file.suffix == ".jpg"]) == 20
    return {str(file.relative_to(root.folder)): file.read_bytes() for file in files}


def traces(root):
    """Where anything of the package lies: names, but for its user and dpkg's own notes of removed packages."""
    apart = ("/var/lib/dpkg/*", "/tmp/*", "/srv/*")
    out = root.run("find", "/", "-xdev", "-iname", "*ronde*", *(word for each in apart for word in ("-not", "-path", each)))
    return out.stdout.split()


def software_works(root):
    found = root.doctor()
    assert {name: found[name] for name in WORKS} == dict.fromkeys(WORKS, "ok")


def test_it_is_installed_without_a_network_and_works(fresh):
    fresh.install(BEFORE)
    assert fresh.state() == f"ii {BEFORE}"
    assert fresh.version() == BEFORE
    assert fresh.run("dpkg", "--verify", "ronde").stdout == ""
    for unit in UNITS:
        assert (fresh.folder / "usr/lib/systemd/system" / unit).is_file()
    enabled = fresh.folder / "etc/systemd/system/multi-user.target.wants/ronde.target"
    assert str(enabled.readlink()).endswith("/lib/systemd/system/ronde.target")
    assert fresh.run("stat", "--format=%A %U %G", "/var/lib/ronde").stdout == "drwxr-x--- ronde ronde\n"
    assert fresh.run("stat", "--format=%A %U %G", "/etc/ronde/tls").stdout == "drwxr-s--- root ronde\n"
    said = fresh.run("systemd-analyze", "verify", "--man=no", *UNITS)
    assert said.stdout + said.stderr == ""
    (fresh.folder / "etc/ronde/ronde.toml").write_text('[unit]\nfleet = "cannes"\nname = "car-07"\n')
    software_works(fresh)
    assert "system-site-packages = true" in (fresh.folder / f"opt/ronde/versions/{BEFORE}-python3.11/pyvenv.cfg").read_text()


def test_no_file_of_the_environment_can_be_changed_by_the_services(fresh):
    fresh.install(BEFORE)
    theirs = fresh.run(
        "find", "/opt/ronde", "/usr/lib/systemd", "(", "-not", "-user", "root", "-or", "-perm", "/022", ")", "-not", "-type", "l"
    )
    assert theirs.stdout == ""


def test_an_upgrade_keeps_database_photos_identity_and_what_was_changed_by_hand(before):
    chrony = before.folder / "etc/chrony/conf.d/ronde.conf"
    chrony.write_text(chrony.read_text() + "# ours\n")
    data = kept(before)
    before.install(AFTER)
    assert (before.state(), before.version()) == (f"ii {AFTER}", AFTER)
    assert kept(before) == data
    assert chrony.read_text().endswith("# ours\n")
    assert [each.name for each in (before.folder / "opt/ronde/versions").iterdir()] == [f"{AFTER}-python3.11"]
    assert [each.name for each in (before.folder / "opt/ronde/wheels").iterdir()] == [AFTER]
    software_works(before)
    assert before.doctor()["database"] == "ok"


def test_a_downgrade_is_refused_and_the_newer_version_goes_on(before):
    before.install(AFTER)
    data = kept(before)
    done = before.install(BEFORE, check=False)
    assert done.returncode != 0
    assert f"ronde: {AFTER} is or was here, which is newer than {BEFORE}" in done.stderr
    assert (before.state(), before.version()) == (f"ii {AFTER}", AFTER)
    before.run("dpkg", "--remove", "ronde")
    assert before.install(BEFORE, check=False).returncode != 0
    assert kept(before) == data
    before.install(AFTER)
    assert (before.version(), kept(before)) == (AFTER, data)


def test_removed_it_leaves_what_the_unit_is_and_has(before):
    data = kept(before)
    before.run("dpkg", "--remove", "ronde")
    assert before.state().startswith("rc ")
    assert kept(before) == data
    assert sorted(traces(before)) == [
        "/etc/chrony/conf.d/ronde.conf",
        "/etc/ronde",
        "/etc/ronde/ronde.toml",
        "/etc/systemd/system/multi-user.target.wants/ronde.target",
        "/etc/systemd/system/ronde.target",
        "/var/lib/ronde",
        "/var/lib/ronde/ronde.db",
        "/var/lib/systemd/deb-systemd-helper-enabled/multi-user.target.wants/ronde.target",
        "/var/lib/systemd/deb-systemd-helper-enabled/ronde.target.dsh-also",
        "/var/lib/systemd/deb-systemd-helper-masked/ronde.target",
    ]
    before.install(BEFORE)
    assert (before.version(), kept(before)) == (BEFORE, data)
    assert (before.folder / "etc/systemd/system/multi-user.target.wants/ronde.target").is_symlink()
    assert not (before.folder / "etc/systemd/system/ronde.target").exists()


def test_purged_it_leaves_nothing_but_its_users_name(before):
    before.run("dpkg", "--purge", "ronde")
    assert traces(before) == []
    assert before.run("find", "/", "-xdev", "-user", "ronde").stdout == ""


MOMENTS = {
    "the new files are being unpacked": lambda root: any((root / "opt/ronde/wheels").glob(f"{AFTER}*/*")),
    "the environment is begun": lambda root: (root / f"opt/ronde/versions/{AFTER}-python3.11/bin").exists(),
    "the wheels are being unpacked": lambda root: any(
        (root / f"opt/ronde/versions/{AFTER}-python3.11/lib").glob("*/site-packages/numpy*")
    ),
    "ronde itself is there": lambda root: (root / f"opt/ronde/versions/{AFTER}-python3.11/bin/ronde").exists(),
    "it is whole": lambda root: (root / f"opt/ronde/versions/{AFTER}-python3.11/whole").exists(),
    "it is switched": lambda root: AFTER in str((root / "opt/ronde/bin").readlink()),
    "the one before is being removed": lambda root: not (root / f"opt/ronde/versions/{BEFORE}-python3.11/bin").exists(),
}


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_cut_in_the_middle_of_an_upgrade_leaves_one_of_the_two_whole(before, moment):
    data = kept(before)
    before.install_until(AFTER, MOMENTS[moment], moment)
    assert before.version() in {BEFORE, AFTER}
    software_works(before)
    assert kept(before) == data
    assert (before.folder / "usr/lib/systemd/system/ronde-capture.service").read_text().count(
        "ExecStart=/opt/ronde/bin/ronde capture"
    ) == 1
    before.install(AFTER)
    assert (before.state(), before.version()) == (f"ii {AFTER}", AFTER)
    assert [each.name for each in (before.folder / "opt/ronde/versions").iterdir()] == [f"{AFTER}-python3.11"]
    assert kept(before) == data


def test_an_upgrade_without_room_leaves_the_version_before(before):
    package = before.bring(AFTER)
    free = shutil.disk_usage(before.folder).free
    filler = before.folder / "filler"
    with filler.open("wb") as out:
        os.posix_fallocate(out.fileno(), 0, free - 150 * 1024**2)
    done = before.run("dpkg", "--install", package, check=False)
    assert done.returncode != 0
    assert f"the environment of {AFTER} cannot be made; the version before stays" in done.stderr
    assert before.version() == BEFORE
    software_works(before)
    filler.unlink()
    before.run("dpkg", "--configure", "ronde")
    assert before.version() == AFTER


def test_another_python_of_the_system_makes_another_environment(before):
    environment = before.folder / f"opt/ronde/versions/{BEFORE}-python3.11"
    (environment / "whole").unlink()
    (environment / "bin/ronde").unlink()
    before.run("dpkg-trigger", "--no-await", "/usr/bin/python3")
    before.run("dpkg", "--triggers-only", "ronde")
    assert before.version() == BEFORE


def test_a_database_of_the_version_before_is_read_by_the_one_after(before):
    before.install(AFTER)
    with sqlite3.connect(before.folder / "var/lib/ronde/ronde.db") as db:
        assert db.execute("SELECT id FROM round").fetchall() == [("r-1",)]
    db.close()


def test_trixie_gets_an_environment_of_its_own_python(trixie):
    trixie.install(BEFORE)
    (trixie.folder / "etc/ronde/ronde.toml").write_text('[unit]\nfleet = "cannes"\nname = "car-07"\n')
    assert (trixie.folder / "opt/ronde/bin").readlink() == Path(f"versions/{BEFORE}-python3.13/bin")
    software_works(trixie)
    trixie.install(AFTER)
    assert trixie.version() == AFTER
    trixie.run("dpkg", "--purge", "ronde")
    assert traces(trixie) == []
