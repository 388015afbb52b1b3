"""Cards of every kind, as folders and as a device; what is on them, and what never is."""

import base64
import json
import os
import shutil
import subprocess
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization

from provisioning import card as cards
from provisioning import card_device
from provisioning.card import CardRefused, Change, Ignition, cmdline_txt, config_txt, kind_of, write
from provisioning.card_device import boot_partition
from provisioning.card_seed import wifi
from provisioning.enrolment import enrol, offer_token
from provisioning.identity import Identity
from provisioning.offer import Offer, read_paper
from provisioning.settings import read_settings
from provisioning.unit_files import files_of, write_unit_files
from sync import provision_card
from sync.arguments import build_parser

TRIXIE = "console=serial0,115200 console=tty1 root=PARTUUID=abc-02 rootfstype=ext4 fsck.repair=yes rootwait resize\n"
BOOKWORM = "console=tty1 root=PARTUUID=abc-02 rootwait quiet init=/usr/lib/raspberrypi-sys-mods/firstboot\n"
UBUNTU = "multipath=off console=tty1 root=LABEL=writable rootfstype=ext4 rootwait fixrtc\n"
CONFIG = "# comment\ncamera_auto_detect=1\n\n[pi4]\narm_boost=1\n"
PASSWORD = "depot pass word"
KINDS = ["trixie", "bookworm", "ubuntu", "seed"]


def boot_folder(folder, kind):
    """A boot partition as the image of that kind has it."""
    folder.mkdir()
    if kind != "seed":
        (folder / "config.txt").write_text(CONFIG)
        (folder / "cmdline.txt").write_text({"trixie": TRIXIE, "bookworm": BOOKWORM, "ubuntu": UBUNTU}[kind])
        (folder / "kernel8.img").write_bytes(b"kernel")
    if kind in {"trixie", "ubuntu"}:
        for name in ("user-data", "meta-data", "network-config"):
            (folder / name).write_text("# an example\n")
    return folder


@pytest.fixture
def unit(fleet, now):
    """A unit that waits for its card."""
    files = files_of(fleet, "car-07")
    write_unit_files(files, offer_token(fleet, "car-07", now), fleet.plan.broker_url, None)
    return files


@pytest.fixture
def options(tmp_path, fleet):
    """The command line of `ronde provision card`, read."""
    (tmp_path / "password").write_text(PASSWORD + "\n")
    (tmp_path / "ronde_0.1.0_arm64.deb").write_bytes(b"!<arch>\nand so on")
    given = [
        "--wifi",
        'Dépôt "1"',
        "--wifi-password-file",
        tmp_path / "password",
        "--package",
        tmp_path / "ronde_0.1.0_arm64.deb",
    ]

    def make(target, *more, given=given):
        words = ["provision", "card", target, "cannes/car-07", "--folder", fleet.folder, *given, *more]
        return build_parser().parse_args([str(each) for each in words])

    return make


def write_card(options, fleet, target, *more, **given):
    args = options(target, *more, **given)
    return provision_card.write_card(args, fleet, "car-07")


def seeded(kind):
    return ("--seed",) if kind == "seed" else ()


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_of_card_is_known_and_written(kind, tmp_path, fleet, unit, options):
    target = boot_folder(tmp_path / "card", kind)
    assert kind_of(target, seed=kind == "seed") == kind
    assert write_card(options, fleet, target, "--yes", *seeded(kind))
    offer = read_paper(Offer, (target / "ronde/offer.json").read_bytes(), "it")
    assert offer == unit.offer()
    settings = read_settings(target / "ronde/ronde.toml")
    assert (settings.unit.fleet, settings.unit.name) == ("cannes", "car-07")
    assert (target / "ronde/ronde_0.1.0_arm64.deb").read_bytes() == (tmp_path / "ronde_0.1.0_arm64.deb").read_bytes()
    if kind != "seed":
        words = (target / "cmdline.txt").read_text()
        assert words.count("\n") == 1
        assert words.endswith("\n")
        assert "cfg80211.ieee80211_regdom=FR" in words
        assert (target / "kernel8.img").read_bytes() == b"kernel"
        assert (target / "config.txt").read_text() == CONFIG
    if kind in {"trixie", "ubuntu"}:
        assert f"ds=nocloud;i={json.loads((target / 'meta-data').read_text())['instance-id']}" in words


def test_a_card_that_is_written_again_is_the_other_units(tmp_path, fleet, unit, options, now):
    target = boot_folder(tmp_path / "card", "trixie")
    write_card(options, fleet, target, "--yes", "--ignition-gpio", "17")
    first = (target / "cmdline.txt").read_text()
    (target / "ronde/answer.json").write_text("of the unit before")
    write_unit_files(unit, offer_token(fleet, "car-07", now), fleet.plan.broker_url, None)
    write_card(options, fleet, target, "--yes", "--ignition-gpio", "17", given=[])
    second = (target / "cmdline.txt").read_text()
    assert first != second, "another instance, so that the card is read again"
    assert len(first.split()) == len(second.split())
    assert sorted(each.name for each in (target / "ronde").iterdir()) == ["offer.json", "ronde.toml"]
    assert (target / "config.txt").read_text().count("gpio-shutdown") == 1
    write_card(options, fleet, target, "--yes", given=[])
    assert (target / "config.txt").read_text() == CONFIG


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (shutil.rmtree, "is no folder"),
        (lambda folder: (folder / "config.txt").unlink(), r"no config\.txt and cmdline\.txt"),
        (lambda folder: (folder / "cmdline.txt").write_text("quiet\n"), "names no root"),
        (lambda folder: (folder / "firstrun.sh").write_text("#!/bin/sh\n"), "another firstrun.sh"),
        (lambda folder: [(folder / name).unlink() for name in ("user-data", "meta-data")], "was started already"),
    ],
)
def test_what_is_no_such_card_is_refused_and_not_touched(tmp_path, fleet, unit, options, spoil, why):
    assert unit.offer()
    target = boot_folder(tmp_path / "card", "trixie")
    spoil(target)
    before = {each.name: each.read_bytes() for each in target.iterdir()} if target.exists() else {}
    with pytest.raises(CardRefused, match=why):
        write_card(options, fleet, target, "--yes")
    assert before == ({each.name: each.read_bytes() for each in target.iterdir()} if target.exists() else {})


def test_a_place_for_a_seed_is_empty(tmp_path):
    (tmp_path / "card").mkdir()
    (tmp_path / "card" / "holiday.jpg").touch()
    with pytest.raises(CardRefused, match=r"holiday\.jpg"):
        kind_of(tmp_path / "card", seed=True)


@pytest.mark.parametrize(
    ("more", "why"),
    [
        (["--country", "fr"], "two capital letters"),
        (["--ignition-gpio", "28"], "0 to 27"),
        (["--hostname", "a_b"], "no host name"),
        (["--access-point", "wlan0; reboot"], "no network interface"),
        (["--wifi", "x" * 33], "1 to 32 bytes"),
    ],
)
def test_a_wrong_option_is_refused_with_what_is_allowed(tmp_path, fleet, unit, options, more, why):
    assert unit.offer()
    with pytest.raises(CardRefused, match=why):
        write_card(options, fleet, boot_folder(tmp_path / "card", "trixie"), "--yes", *more)


def test_a_wrong_password_or_package_is_refused(tmp_path, fleet, unit, options):
    assert unit.offer()
    target = boot_folder(tmp_path / "card", "trixie")
    (tmp_path / "password").write_text("short")
    with pytest.raises(CardRefused, match="8 to 63 printable ASCII"):
        write_card(options, fleet, target, "--yes")
    for name, content, why in (
        ("rm -rf.deb", b"!<arch>\n", "no package of ronde"),
        ("ronde_1_arm64.deb", b"PK", "no Debian package"),
    ):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(CardRefused, match=why):
            write_card(options, fleet, target, "--yes", "--package", tmp_path / name, given=[])


def test_a_used_or_expired_token_makes_no_card(tmp_path, fleet, unit, options, now):
    offer = unit.offer()
    enrol(fleet, Identity(tmp_path / "box").application(offer), now)
    with pytest.raises(CardRefused, match="used or has run out; ronde provision unit cannes/car-07"):
        write_card(options, fleet, boot_folder(tmp_path / "card", "trixie"), "--yes")


def test_nobody_is_asked_without_a_terminal_and_a_dry_run_writes_nothing(tmp_path, fleet, unit, options, capsys):
    target = boot_folder(tmp_path / "card", "trixie")
    before = {each.name: each.read_bytes() for each in target.iterdir()}
    with pytest.raises(CardRefused, match="--yes writes without asking"):
        write_card(options, fleet, target)
    capsys.readouterr()
    assert write_card(options, fleet, target, "--dry-run")
    shown = capsys.readouterr().out
    assert before == {each.name: each.read_bytes() for each in target.iterdir()}
    for name in ("user-data", "network-config", "cmdline.txt", "ronde/offer.json", "ronde_0.1.0_arm64.deb"):
        assert name in shown
    for secret in (unit.offer().token, PASSWORD, wifi('Dépôt "1"', PASSWORD).key):
        assert secret not in shown


def test_what_is_asked_is_obeyed(tmp_path, fleet, unit, options, monkeypatch):
    assert unit.offer()
    target = boot_folder(tmp_path / "card", "trixie")
    monkeypatch.setattr(provision_card.sys.stdin, "isatty", lambda: True, raising=False)
    monkeypatch.setattr("builtins.input", lambda _: "n")
    assert not write_card(options, fleet, target)
    assert not (target / "ronde").exists()
    monkeypatch.setattr("builtins.input", lambda _: "y")
    assert write_card(options, fleet, target)
    assert (target / "ronde").exists()


def private_numbers(folder):
    """Every private key below a folder, in the forms in which it could be written: raw, hex, base64 and decimal."""
    for file in folder.rglob("*.key"):
        key = serialization.load_pem_private_key(file.read_bytes(), None)
        raw = (
            key.private_numbers().private_value.to_bytes(32, "big")
            if hasattr(key, "private_numbers")
            else key.private_bytes_raw()
        )
        body = b"".join(file.read_bytes().splitlines()[1:-1])
        yield from (raw, raw.hex().encode(), base64.b64encode(raw)[:40], body[:60], str(int.from_bytes(raw, "big")).encode())


@pytest.mark.parametrize("kind", KINDS)
def test_no_private_key_is_on_a_card_and_no_password(kind, tmp_path, fleet, unit, options):
    target = boot_folder(tmp_path / "card", kind)
    write_card(options, fleet, target, "--yes", *seeded(kind))
    every_byte = b"\0".join(file.read_bytes() for file in sorted(target.rglob("*")) if file.is_file())
    needles = list(private_numbers(fleet.folder))
    assert len(needles) == 5 * 5, "the authority, the commands, three services"
    assert not [needle for needle in needles if needle in every_byte]
    assert b"PRIVATE" not in every_byte
    assert PASSWORD.encode() not in every_byte
    assert fleet.register.get("car-07").access_point.encode() not in every_byte
    assert every_byte.count(unit.offer().token.encode()) == (2 if kind == "seed" else 1)


class Cut(BaseException):
    """The card is drawn out."""


@pytest.mark.parametrize("kind", ["trixie", "bookworm"])
def test_a_card_that_is_drawn_out_too_early_starts_as_if_untouched(kind, tmp_path, fleet, unit, options, monkeypatch):
    assert unit.offer()
    put, written = cards.write_durably, []
    target = boot_folder(tmp_path / "card", kind)
    before = (target / "cmdline.txt").read_text()

    def cut(file, content):
        if file.name == "cmdline.txt":
            raise Cut
        written.append(file.name)
        put(file, content)

    with monkeypatch.context() as patched:
        patched.setattr(cards, "write_durably", cut)
        with pytest.raises(Cut):
            write_card(options, fleet, target, "--yes")
    assert len(written) >= 4
    assert (target / "cmdline.txt").read_text() == before
    assert write_card(options, fleet, target, "--yes")


def test_a_full_card_is_named(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(cards, "write_durably", full)
    with pytest.raises(CardRefused, match="No space left on device"):
        write(tmp_path, [Change("cmdline.txt", b"")])


def test_the_command_line_stays_one_line_and_keeps_what_is_not_ours(fleet, unit, options, tmp_path):
    args = options(boot_folder(tmp_path / "card", "trixie"))
    seed = provision_card._order(args, fleet, "car-07", "trixie").seed
    assert unit.offer()
    imager = "a=1 cfg80211.ieee80211_regdom=US ds=nocloud;i=rpi-imager-7 b=2\n\n"
    made = cmdline_txt(imager, "trixie", replace(seed, country="FR", instance="x"))
    assert made == "a=1 b=2 cfg80211.ieee80211_regdom=FR cgroup_enable=memory ds=nocloud;i=x\n"
    assert cmdline_txt(made, "trixie", replace(seed, country="FR", instance="x")) == made
    assert cmdline_txt(BOOKWORM, "bookworm", seed).endswith("systemd.unit=kernel-command-line.target\n")


def test_the_ignitions_line_is_for_every_board():
    made = config_txt(CONFIG, Ignition(17))
    assert made.startswith(CONFIG)
    line = "all]\ndtoverlay=gpio-shutdown,gpio_pin=17,active_low=1,gpio_pull=up,debounce=2000\n"
    assert made.rpartition("[")[2].startswith(line)
    assert config_txt(made, Ignition(22)).count("dtoverlay") == 1
    assert "gpio_pin=6,active_low=0,gpio_pull=down," in config_txt(made, Ignition(6, rises=True))
    assert config_txt(made, None) == CONFIG


def test_a_line_that_rises_has_to_be_named(tmp_path, fleet, unit, options):
    assert unit.offer()
    target = boot_folder(tmp_path / "card", "trixie")
    with pytest.raises(CardRefused, match="no line is named"):
        write_card(options, fleet, target, "--yes", "--ignition-rises")
    write_card(options, fleet, target, "--yes", "--ignition-gpio", "6", "--ignition-rises")
    assert "active_low=0" in (target / "config.txt").read_text()


@pytest.mark.parametrize(("camera", "library"), [("picamera2", "python3-picamera2"), ("argus", "python3-gi")])
def test_what_the_camera_needs_is_installed_with_the_package(tmp_path, fleet, options, now, camera, library):
    files = files_of(fleet, "car-07")
    write_unit_files(files, offer_token(fleet, "car-07", now), fleet.plan.broker_url, camera)
    target = boot_folder(tmp_path / "card", "trixie")
    write_card(options, fleet, target, "--yes", "--package", str(tmp_path / "ronde_0.1.0_arm64.deb"))
    assert f"/boot/firmware/ronde/ronde_0.1.0_arm64.deb {library}" in (target / "user-data").read_text()


def test_a_networks_key_is_derived_as_the_standard_says():
    """The example of IEEE 802.11i, annex H.4.1."""
    assert wifi("IEEE", "password").key == "f42c6fc52df0ebef9ebb4b90b38a5f902e83fe1b135a70e23aed762e9710a12e"


@pytest.fixture(scope="session")
def cloud_init():
    program = os.environ.get("RONDE_CLOUD_INIT") or shutil.which("cloud-init")
    if program is None:
        pytest.skip("cloud-init is not here: RONDE_CLOUD_INIT names it (./run test fetches it without installing it)")
    return program


@pytest.mark.parametrize("kind", ["trixie", "ubuntu", "seed"])
def test_cloud_init_finds_the_user_data_valid(kind, tmp_path, fleet, unit, options, cloud_init):
    assert unit.offer()
    target = boot_folder(tmp_path / "card", kind)
    write_card(options, fleet, target, "--yes", *seeded(kind))
    right, said = valid(cloud_init, target / "user-data")
    assert right, said
    (target / "wrong").write_text((target / "user-data").read_text().replace('"owner"', '"ownr"'))
    assert not valid(cloud_init, target / "wrong")[0], "it would find what is wrong"


def valid(cloud_init, file):
    done = subprocess.run([cloud_init, "schema", "--config-file", file], capture_output=True, text=True, check=False)
    return done.returncode == 0, done.stdout + done.stderr


def test_a_network_waits_for_nobody(tmp_path, fleet, unit, options):
    assert unit.offer()
    target = boot_folder(tmp_path / "card", "trixie")
    write_card(options, fleet, target, "--yes")
    network = json.loads((target / "network-config").read_text())["network"]
    assert network["version"] == 2
    assert all(each["optional"] for kind in ("ethernets", "wifis") for each in network[kind].values())
    points = network["wifis"]["wlan0"]["access-points"]
    assert points == {'Dépôt "1"': {"password": wifi('Dépôt "1"', PASSWORD).key}}


def test_the_first_run_is_a_script_that_ends_well_and_removes_itself(tmp_path, fleet, unit, options):
    unit.configuration_file.write_text(unit.configuration_file.read_text() + "# '$(reboot)' \"`x`\" \\\n")
    target = boot_folder(tmp_path / "card", "bookworm")
    write_card(options, fleet, target, "--yes")
    script = (target / "firstrun.sh").read_text()
    assert subprocess.run(["sh", "-n", target / "firstrun.sh"], check=False).returncode == 0
    # Its paths below a folder of ours; it calls what only a Pi has, and goes on.
    root = tmp_path / "root"
    (root / "boot/firmware").mkdir(parents=True)
    for name in ("firstrun.sh", "cmdline.txt"):
        shutil.copy(target / name, root / "boot/firmware")
    for path in ("/etc/", "/boot/"):
        script = script.replace(path, f"{root}{path}")
    tools = tmp_path / "bin"
    tools.mkdir()
    for tool in ("systemctl", "raspi-config"):
        (tools / tool).write_text(f'#!/bin/sh\necho {tool} "$@" >>{tmp_path}/called\n')
        (tools / tool).chmod(0o755)
    environment = {"PATH": f"{tools}:/usr/bin:/bin"}
    assert subprocess.run(["sh", "-c", script], env=environment, capture_output=True, check=False).returncode == 0
    assert (root / "etc/ronde/ronde.toml").read_text() == unit.configuration_file.read_text()
    assert (tmp_path / "called").read_text().splitlines() == [
        "raspi-config nonint do_wifi_country FR",
        "systemctl enable ronde-install.service",
    ]
    connections = root / "etc/NetworkManager/system-connections"
    assert {each.name: each.stat().st_mode & 0o777 for each in connections.iterdir()} == {
        "ronde-depot.nmconnection": 0o600,
        "ronde-own.nmconnection": 0o600,
    }
    assert not (root / "boot/firmware/firstrun.sh").exists()
    assert (root / "boot/firmware/cmdline.txt").read_text().split()[-1] == "cgroup_enable=memory"


@contextmanager
def loop_device(image):
    device = subprocess.run(["losetup", "--find", "--show", image], check=True, capture_output=True, text=True).stdout.strip()
    try:
        yield device
    finally:
        subprocess.run(["losetup", "--detach", device], check=True)


@pytest.fixture
def reader(tmp_path, monkeypatch):
    """A card in a reader: a file system on a loop device; not FAT where this kernel has none, which nothing here depends on."""
    fat = "\tvfat\n" in Path("/proc/filesystems").read_text()
    make_file_system = ["mkfs.vfat", "-n"] if fat else ["mkfs.ext4", "-q", "-L"]
    if os.geteuid() != 0 or any(shutil.which(each) is None for each in (make_file_system[0], "losetup", "lsblk", "blkid")):
        pytest.skip(f"needs root, losetup, lsblk, blkid and {make_file_system[0]}")
    if not fat:
        monkeypatch.setattr(card_device, "FILE_SYSTEM", "ext4")
        monkeypatch.setattr(card_device, "MOUNT_OPTIONS", "noatime")

    @contextmanager
    def make(label):
        image = tmp_path / "image"
        with image.open("wb") as out:
            out.truncate(16 * 1024 * 1024)
        subprocess.run([*make_file_system, label, image], check=True, capture_output=True)
        with loop_device(image) as device:
            yield device

    return make


def test_a_device_is_mounted_written_and_unmounted(tmp_path, fleet, unit, options, reader):
    with reader("bootfs") as device:
        with boot_partition(Path(device)) as folder:
            shutil.copytree(boot_folder(tmp_path / "card", "trixie"), folder, dirs_exist_ok=True)
        assert write_card(options, fleet, device, "--yes")
        assert device not in mounts()
        with boot_partition(Path(device)) as folder:
            assert read_paper(Offer, (folder / "ronde/offer.json").read_bytes(), "it") == unit.offer()
            inside = folder
            # Already mounted, as a desktop does: written where it is, and left so.
            assert write_card(options, fleet, device, "--yes")
            assert device in mounts()
        assert not inside.exists()


def test_a_device_that_is_no_card_or_this_machines_own_is_refused(fleet, unit, options, reader, monkeypatch):
    assert unit.offer()
    with reader("HOLIDAYS") as device, pytest.raises(CardRefused, match="has no partition labelled"):
        write_card(options, fleet, device, "--yes")
    with reader("bootfs") as device:
        with pytest.raises(CardRefused, match="no boot partition of a Raspberry Pi"):
            write_card(options, fleet, device, "--yes")
        with boot_partition(Path(device)) as folder:
            monkeypatch.setattr(card_device, "THIS_MACHINE", (str(folder),))
            with pytest.raises(CardRefused, match="this machine's own disk"):
                write_card(options, fleet, device, "--yes")


def mounts():
    return [line.split()[0] for line in Path("/proc/mounts").read_text().splitlines()]
