"""What the audit log is told of pauses, of pictures that were sent, and of photos that were exported."""

import pytest

from sync.audit import LOG, AuditNotWritten
from sync.audit_check import examine
from sync.audit_notes import count_evidence, note_evidence, obey_pauses
from sync.database import open_database, transaction
from sync.request import put_request
from sync.sequence import export_images


@pytest.fixture
def db(tmp_path):
    opened = open_database(tmp_path / "ronde.db")
    yield opened
    opened.close()


def noted(folder):
    return [(each["what"], each["about"]) for each in examine(folder).entries]


def test_each_pause_is_noted_once_with_who_wanted_it(db, tmp_path):
    put_request(db, "pause")
    obey_pauses(db, tmp_path)
    obey_pauses(db, tmp_path)
    put_request(db, "resume", "command 7")
    put_request(db, "pause", "for lunch with Anna")
    obey_pauses(db, tmp_path)
    assert noted(tmp_path) == [
        ("paused", {"by": "the driver"}),
        ("resumed", {"by": "command 7"}),
        ("paused", {"by": "the driver"}),
    ]
    assert b"Anna" not in (tmp_path / LOG).read_bytes()


def test_pictures_that_were_sent_are_counted(db, tmp_path):
    note_evidence(db, tmp_path)
    assert not (tmp_path / LOG).exists()
    for number in (3, 1):
        with transaction(db):
            for _ in range(number):
                count_evidence(db)
        note_evidence(db, tmp_path)
        note_evidence(db, tmp_path)
    assert noted(tmp_path) == [("evidence_handed_over", {"pictures": 3}), ("evidence_handed_over", {"pictures": 1})]


@pytest.mark.usefixtures("db")
def test_an_export_is_noted_before_it_happens_or_does_not_happen(tmp_path):
    (tmp_path / LOG).mkdir()
    with pytest.raises(AuditNotWritten):
        export_images(tmp_path, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    (tmp_path / LOG).rmdir()
    export_images(tmp_path, tmp_path / "out")
    assert noted(tmp_path) == [("photos_exported", {"photos": 0})]
