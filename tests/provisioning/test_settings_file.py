"""The configuration's file through cuts: old or new, and never nothing."""

import pytest

from provisioning import good
from provisioning.good import keep_good, read_good, save
from provisioning.settings import read_settings
from provisioning.table import SettingsError

TEXT = """[unit]
fleet = "cannes"
name = "car-07"

[gps]
port = 2948

[[backend]]
name = "roads"
url = "mqtt://127.0.0.1:1883"
"""


@pytest.fixture
def file(tmp_path, monkeypatch):
    monkeypatch.setattr(good, "ELSEWHERE", tmp_path / "elsewhere")
    (tmp_path / "etc").mkdir()
    (tmp_path / "elsewhere").mkdir()
    made = tmp_path / "etc" / "ronde.toml"
    made.write_text(TEXT)
    return made


def test_a_file_in_order_is_read_and_nothing_is_written(file):
    settings = read_settings(file)
    assert (settings.gps.port, settings.fallback) == (2948, None)
    assert [each.name for each in file.parent.iterdir()] == ["ronde.toml"]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "the file is empty"),
        (b"\n \n", "the file is empty"),
        (b"\0" * 100, "is no TOML"),
        (b"\xff\xfe\x00", "cannot be read"),
        (TEXT[:25].encode(), "is no TOML"),
        (TEXT.encode()[: TEXT.index("name")], "name is missing"),
        (TEXT.encode()[: TEXT.index("8\n\n[[")], "ends in the middle of a line"),
    ],
)
def test_a_torn_file_falls_back_to_the_last_good_copy_and_says_so(file, content, reason):
    keep_good(file)
    file.write_bytes(content)
    settings = read_settings(file)
    assert settings.gps.port == 2948
    assert len(settings.backends) == 1
    assert reason in settings.fallback
    assert file.read_bytes() == content


def test_a_cut_at_any_byte_is_never_read_as_half_a_configuration(file):
    keep_good(file)
    whole = TEXT.encode()
    for size in range(len(whole)):
        file.write_bytes(whole[:size])
        settings = read_settings(file)
        assert settings.gps.port in (2947, 2948)
        assert settings.fallback or whole[size - 1 : size] == b"\n", size


def test_what_a_person_got_wrong_is_refused_and_not_overruled(file):
    keep_good(file)
    file.write_text(TEXT.replace("2948", "99999"))
    with pytest.raises(SettingsError, match="port is 99999"):
        read_settings(file)
    file.write_text(TEXT.replace("[[backend]]", "[unknown]"))
    with pytest.raises(SettingsError, match="unknown is not known"):
        read_settings(file)


def test_without_a_copy_a_torn_file_is_refused(file):
    file.write_bytes(b"")
    with pytest.raises(SettingsError, match="the file is empty"):
        read_settings(file)
    file.unlink()
    with pytest.raises(SettingsError, match="there is no such file"):
        read_settings(file)


def test_the_copy_lies_elsewhere_where_the_folder_is_not_ours(file, tmp_path, monkeypatch):
    refuse = good.write_durably

    def read_only(place, content):
        if place.parent == file.parent:
            raise OSError("read-only")
        refuse(place, content)

    monkeypatch.setattr(good, "write_durably", read_only)
    place = keep_good(file)
    assert place.parent == tmp_path / "elsewhere"
    assert keep_good(file) is None
    file.write_bytes(b"")
    assert read_settings(file).fallback
    other = file.with_name("other") / "ronde.toml"
    other.parent.mkdir()
    other.write_bytes(b"")
    with pytest.raises(SettingsError):  # another configuration of the same name has no part in it
        read_settings(other)


def test_a_change_is_whole_or_not_there(file, monkeypatch):
    save(file, TEXT.replace("2948", "2949"))
    assert read_settings(file).gps.port == 2949

    def no_room(_handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("provisioning.durable.os.fsync", no_room)
    with pytest.raises(OSError, match="No space"):
        save(file, TEXT)
    assert read_settings(file).gps.port == 2949
    assert [each.name for each in file.parent.iterdir()] == ["ronde.toml"]
    assert read_good(file) is None
