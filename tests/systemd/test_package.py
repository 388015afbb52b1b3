"""What the Debian package holds, and what its scripts refuse; how dpkg treats it is tests/packaging's."""

import importlib.util
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from provisioning.card_seed import BOOT  # the boot partition of a card, where the package is found
from sync.provision_card import PACKAGE

FOLDER = Path(__file__).parents[2] / "systemd" / "package"
VERSION, MACHINE = "1.2.3", {"amd64": "x86_64", "arm64": "aarch64"}
METADATA = """\
Metadata-Version: 2.1
Name: {name}
Version: {version}
Requires-Dist: numpy>=1.26
Requires-Dist: tomli>=2; python_version < "3.11"
Requires-Dist: tflite-runtime; platform_machine == "armv7l"
Requires-Dist: iotcore; extra == "backend"
Requires-Dist: gpiozero>=2; extra == "pi"
"""


def module(name):
    """A module of the package's own folder, which is no Python package."""
    spec = importlib.util.spec_from_file_location(name, FOLDER / f"{name}.py")
    made = importlib.util.module_from_spec(spec)
    sys.modules[name] = made
    spec.loader.exec_module(made)
    return made


@pytest.fixture(scope="module")
def wheels():
    yield module("wheels")
    del sys.modules["wheels"]


@pytest.fixture(scope="module")
def build(wheels):
    assert wheels.SYSTEMS, "build imports it by its name"
    yield module("build")
    del sys.modules["build"]


def wheel(folder, name, version):
    file = folder / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(file, "w") as out:
        out.writestr(f"{name}-{version}.dist-info/METADATA", METADATA.format(name=name, version=version))
    return file


@pytest.fixture(scope="module")
def package(build, tmp_path_factory):
    if shutil.which("dpkg-deb") is None:
        pytest.skip("dpkg-deb is not installed")
    folder = tmp_path_factory.mktemp("package")
    own, pip = wheel(folder, "ronde", VERSION), wheel(folder, "pip", "26.3")
    return build.build(folder / "tree", folder, "arm64", VERSION, {"3.11": [own, pip], "3.13": [own, pip]})


def told(*command):
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


@pytest.fixture(scope="module")
def unpacked(package):
    subprocess.run(["dpkg-deb", "--raw-extract", str(package), str(package.parent / "raw")], check=True)
    return package.parent / "raw"


def test_its_name_is_one_that_a_card_takes(package):
    assert PACKAGE.fullmatch(package.name)
    assert package.name == "ronde_1.2.3_arm64.deb"
    assert BOOT.name == "ronde"


def test_what_it_says_of_itself(package):
    fields = dict(line.split(": ", 1) for line in told("dpkg-deb", "--field", str(package)).splitlines() if ": " in line)
    assert (fields["Package"], fields["Version"], fields["Architecture"]) == ("ronde", VERSION, "arm64")
    assert {"gpsd", "chrony", "systemd"} <= set(re.split(r",\s*", fields["Depends"]))
    assert int(fields["Installed-Size"]) > 0
    assert "@" not in fields["Version"] + fields["Depends"]


def test_everything_is_roots_and_nobody_elses_to_change(package):
    for line in told("dpkg-deb", "--contents", str(package)).splitlines():
        mode, owner = line.split()[:2]
        assert owner == "root/root", line
        assert mode[0] == "l" or mode[5] + mode[8] == "--", line


def test_each_unit_and_each_setting_has_its_place(unpacked):
    ours = FOLDER.parent
    for source in (*ours.glob("*.service"), *ours.glob("*.timer"), *ours.glob("*.target")):
        assert (unpacked / "usr/lib/systemd/system" / source.name).read_bytes() == source.read_bytes()
    assert (unpacked / "usr/lib/sysusers.d/ronde.conf").read_bytes() == (ours / "sysusers.d/ronde.conf").read_bytes()
    assert (unpacked / "usr/lib/tmpfiles.d/ronde.conf").read_bytes() == (ours / "tmpfiles.d/ronde.conf").read_bytes()
    assert (unpacked / "usr/lib/udev/rules.d/60-ronde.rules").read_bytes() == (ours / "udev/60-ronde.rules").read_bytes()
    assert "SystemMaxUse=" in (unpacked / "usr/lib/systemd/journald.conf.d/ronde.conf").read_text()
    assert "gpsd -n " in (unpacked / "usr/lib/systemd/system/gpsd.service.d/ronde.conf").read_text()
    assert "refclock SHM 0" in (unpacked / "etc/chrony/conf.d/ronde.conf").read_text()
    assert (unpacked / "usr/bin/ronde").readlink() == Path("/opt/ronde/bin/ronde")


def test_what_an_administrator_may_change_is_kept_and_all_of_it_lies_in_etc(unpacked):
    conffiles = (unpacked / "DEBIAN/conffiles").read_text().split()
    assert sorted(f"/{each.relative_to(unpacked)}" for each in (unpacked / "etc").rglob("*") if each.is_file()) == conffiles


def test_the_sums_are_of_the_files(unpacked):
    done = subprocess.run(["md5sum", "--check", "--quiet", "DEBIAN/md5sums"], cwd=unpacked, check=False, capture_output=True)
    assert done.returncode == 0, done.stdout
    listed = {line.split("  ")[1] for line in (unpacked / "DEBIAN/md5sums").read_text().splitlines()}
    files = {str(each.relative_to(unpacked)) for each in unpacked.rglob("*") if each.is_file() and not each.is_symlink()}
    assert listed == {each for each in files if not each.startswith("DEBIAN/")}


def test_each_python_has_a_list_of_wheels_by_hash_and_pip_is_none_of_them(unpacked, wheels):
    folder = unpacked / "opt/ronde/wheels" / VERSION
    for python in ("3.11", "3.13"):
        (line,) = (folder / f"{python}.txt").read_text().splitlines()
        assert re.fullmatch(r"ronde==1\.2\.3 --hash=sha256:[0-9a-f]{64}", line)
    assert (folder / "pip-26.3-py3-none-any.whl").is_file()
    assert set(wheels.SYSTEMS) >= {"3.11", "3.13"}


@pytest.mark.parametrize(
    ("arch", "python", "names"),
    [("arm64", "3.11", ["numpy"]), ("arm64", "3.10", ["numpy", "tomli"]), ("amd64", "3.13", ["numpy"])],
)
def test_what_is_required_is_asked_for_the_unit_and_not_for_this_machine(wheels, tmp_path, arch, python, names):
    made = wheel(tmp_path, "ronde", VERSION)
    assert [each.name for each in wheels.requirements_of(made, arch, python)] == names
    assert [each.name for each in wheels.requirements_of(made, arch, python, wheels.EXTRA)] == [*names, "gpiozero"]


@pytest.mark.parametrize(
    ("wheel_name", "version"),
    [("ronde-0.2.0-py3", "0.2.0"), ("ronde-0.2.0rc1-py3", "0.2.0~rc1"), ("ronde-0.2.0.dev3-py3", "0.2.0~dev3")],
)
def test_a_candidate_comes_before_its_release(build, wheel_name, version):
    assert build.debian_version(Path(f"{wheel_name}-none-any.whl")) == version


def run_script(unpacked, name, *arguments):
    return subprocess.run(["sh", "-eu", unpacked / "DEBIAN" / name, *arguments], capture_output=True, text=True, check=False)


@pytest.mark.parametrize("name", ["preinst", "postinst", "prerm", "postrm"])
def test_each_script_is_one_that_a_shell_reads_and_says_nothing_to_what_it_does_not_know(unpacked, name):
    assert os.access(unpacked / "DEBIAN" / name, os.X_OK)
    assert subprocess.run(["sh", "-n", unpacked / "DEBIAN" / name], check=False).returncode == 0
    done = run_script(unpacked, name, "abort-upgrade", "0.9")
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
    assert "@" not in re.sub(r'"\$@"', "", (unpacked / "DEBIAN" / name).read_text())


@pytest.mark.skipif(shutil.which("dpkg") is None, reason="dpkg is not installed")
@pytest.mark.parametrize(
    ("arguments", "right"),
    [
        (("install",), True),
        (("install", ""), True),
        (("upgrade", "1.2.2", VERSION), True),
        (("upgrade", "1.2.3~rc1", VERSION), True),
        (("install", VERSION, VERSION), True),
        (("upgrade", "1.2.4", VERSION), False),
        (("install", "2.0.0", VERSION), False),
    ],
)
def test_a_downgrade_is_refused_before_anything_is_unpacked(unpacked, arguments, right):
    done = run_script(unpacked, "preinst", *arguments)
    assert (done.returncode == 0) is right
    if not right:
        assert f"ronde: {arguments[1]} is or was here, which is newer than 1.2.3" in done.stderr
        assert "purge ronde" in done.stderr
