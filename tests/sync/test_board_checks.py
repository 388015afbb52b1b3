"""What the doctor says of the computer, from files as the kernel writes them and words as the programs print them."""

import os
import shutil
import subprocess
import sys

import pytest

from sync.board_checks import ask, check_power, check_temperature, check_time_source, check_wear

TRACKING = "{ref},{name},{stratum},1764000000.1,{off},0.000000012,0.0001,-11.2,-0.001,0.05,0.0000001,0.0001,16.1,{leap}"


def write(folder, name, content):
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(content)


def nobody(_command):
    return None


def says(*lines):
    """A program that prints these, whatever it is asked; only the first that is asked is there."""
    return lambda command: dict(lines).get(command[0])


def failed(check, words):
    assert (check.state, words in check.reason, check.remedy != "") == ("failed", True, True), check


@pytest.mark.parametrize(
    ("throttled", "state", "words"),
    [
        ("0x0", "ok", "no under-voltage since"),
        ("0x80000", "ok", "no under-voltage since"),
        ("0x50005", "failed", "under-voltage now"),
        ("0x50000", "failed", "there was under-voltage"),
    ],
)
def test_a_raspberry_pi_tells_what_its_supply_did(tmp_path, throttled, state, words):
    check = check_power(tmp_path, says(("vcgencmd", f"throttled={throttled}")))
    assert (check.state, words in check.reason) == (state, True)


def test_the_kernel_tells_it_where_vcgencmd_is_not_there(tmp_path):
    assert check_power(tmp_path, nobody).state == "does not apply"
    write(tmp_path, "class/hwmon/hwmon1/name", "rpi_volt\n")
    write(tmp_path, "class/hwmon/hwmon1/in0_lcrit_alarm", "0\n")
    assert check_power(tmp_path, nobody).state == "ok"
    write(tmp_path, "class/hwmon/hwmon1/in0_lcrit_alarm", "1\n")
    failed(check_power(tmp_path, nobody), "under-voltage now, says rpi_volt")
    failed(check_power(tmp_path, says(("vcgencmd", "error"))), "under-voltage now")


def test_heat(tmp_path):
    assert check_temperature(tmp_path).state == "does not apply"
    write(tmp_path, "class/thermal/thermal_zone0/temp", "61234\n")
    assert check_temperature(tmp_path).reason == "the processor has 61 °C"
    write(tmp_path, "class/thermal/thermal_zone0/temp", "80000\n")
    failed(check_temperature(tmp_path), "80 °C and slows down")


@pytest.fixture
def card(tmp_path):
    """A card with one partition, as sysfs shows it; `check` asks for it."""
    disk = tmp_path / "devices/mmc0/block/mmcblk0"
    (disk / "mmcblk0p2").mkdir(parents=True)
    (disk / "device").mkdir()
    (tmp_path / "dev/block").mkdir(parents=True)
    (tmp_path / "dev/block/179:2").symlink_to("../../devices/mmc0/block/mmcblk0/mmcblk0p2")
    write(tmp_path, "fs/ext4/mmcblk0p2/errors_count", "0\n")
    write(tmp_path, "fs/ext4/mmcblk0p2/lifetime_write_kbytes", "1234567890\n")
    return tmp_path, lambda: check_wear(tmp_path / "state", tmp_path, lambda _: os.makedev(179, 2))


def test_an_sd_card_tells_what_was_written_to_it(card):
    _, check = card
    assert check().reason == "1.23 TB written to mmcblk0p2 since it was formatted, without an error; it does not tell its wear"
    assert check().state == "ok"


def test_an_emmc_tells_its_life(card):
    folder, check = card
    write(folder, "devices/mmc0/block/mmcblk0/device/life_time", "0x02 0x03\n")
    assert check().reason.startswith("the mmcblk0 has used 20 to 30 % of its life; 1.23 TB")
    write(folder, "devices/mmc0/block/mmcblk0/device/life_time", "0x0a 0x01\n")
    failed(check(), "90 % of its life or more")


def test_a_card_that_made_errors_is_to_be_replaced(card):
    folder, check = card
    write(folder, "fs/ext4/mmcblk0p2/errors_count", "3\n")
    failed(check(), "3 errors of the file system on mmcblk0p2")


def test_a_folder_on_no_block_device_and_another_file_system_tell_nothing(card):
    folder, check = card
    assert check_wear(folder, folder, lambda _: os.makedev(0, 31)).state == "does not apply"
    shutil.rmtree(folder / "fs")
    assert check().state == "does not apply"


def test_the_clock_follows_the_satellites_a_server_or_nobody():
    gnss = TRACKING.format(ref="474E5353", name="GNSS", stratum=1, off="-0.000123", leap="Normal")
    assert check_time_source(says(("chronyc", gnss))).reason == "chrony follows the satellites (GNSS), 0.1 ms off"
    server = TRACKING.format(ref="C0000201", name="192.0.2.1", stratum=3, off="0.002", leap="Normal")
    assert "follows 192.0.2.1, 2.0 ms off" in check_time_source(says(("chronyc", server))).reason
    far = TRACKING.format(ref="C0000201", name="192.0.2.1", stratum=3, off="-7200.0", leap="Normal")
    failed(check_time_source(says(("chronyc", far))), "is 2:00:00 off still")
    nothing = TRACKING.format(ref="00000000", name="", stratum=0, off="0.000000000", leap="Not synchronised")
    failed(check_time_source(says(("chronyc", nothing))), "no source yet")


def test_without_chrony_systemd_is_asked_and_without_both_it_does_not_apply():
    assert check_time_source(nobody).state == "does not apply"
    assert check_time_source(says(("timedatectl", "yes"))).state == "ok"
    failed(check_time_source(says(("timedatectl", "no"), ("chronyc", "506 Cannot talk to daemon"))), "not synchronised")


def test_a_program_that_is_not_there_fails_or_hangs_has_said_nothing(monkeypatch):
    assert ask(["ronde-has-no-such-program"]) is None
    assert ask([sys.executable, "-c", "print('yes')"]) == "yes"
    assert ask([sys.executable, "-c", "raise SystemExit(1)"]) is None

    def hangs(*_, **__):
        raise subprocess.TimeoutExpired("it", 5)

    monkeypatch.setattr(subprocess, "run", hangs)
    assert ask([sys.executable, "-c", "print('late')"]) is None
