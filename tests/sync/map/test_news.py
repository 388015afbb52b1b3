import json
from contextlib import closing, contextmanager
from datetime import timedelta

from sync.map.sample import connected, health_of, rounds_of


@contextmanager
def listening(town, path="/api/stream", **headers):
    """The events of a stream, as (name, data, id), one after another."""
    with closing(town.connection()) as line:
        line.request("GET", path, headers={name.replace("_", "-"): value for name, value in headers.items()})
        answer = line.getresponse()
        assert answer.status == 200
        assert answer.getheader("content-type").startswith("text/event-stream")
        yield events(answer)


def events(answer):
    told = {}
    while text := answer.readline().decode():
        if text == "\n":
            yield told["event"], json.loads(told["data"]), told.get("id")
            told = {}
        else:
            name, _, value = text.rstrip("\n").partition(": ")
            told[name] = value


def first(stream, name):
    return next((data, number) for event, data, number in stream if event == name)


def test_a_finding_is_told_when_it_is_stored(town, later):
    with listening(town) as stream:
        first(stream, "beat")
        town.publish(later)
        data, number = first(stream, "change")
        assert [each["properties"]["finding_id"] for each in data["findings"]] == [later.data["properties"]["finding_id"]]
        assert int(number) == data["findings"][0]["properties"]["seq"]


def test_who_comes_back_hears_what_was_missed(town, later):
    newest = town.ask("/api/findings").json["newest"]
    town.publish(later)
    with listening(town, last_event_id=str(newest)) as stream:
        data, number = first(stream, "change")
        assert len(data["findings"]) == 1
    with listening(town, f"/api/stream?after={newest}", last_event_id=number) as stream:
        town.send_photo(later)
        data, _ = first(stream, "change")  # the header is newer than the address
        assert "findings" not in data
        assert data["photos"][0]["id"] == f"cannes/car-12/{later.data['properties']['finding_id']}"
        assert town.ask(f"/{data['photos'][0]['photo']}").status == 200


def test_everything_comes_to_who_asks_from_the_beginning(town):
    with listening(town, "/api/stream?after=0") as stream:
        found = []
        while len(found) < 30:
            found += first(stream, "change")[0].get("findings", [])
        assert len({each["id"] for each in found}) == 30


def test_a_unit_that_is_lost_is_told(town):
    with listening(town) as stream:
        units = {each["name"]: each for each in first(stream, "units")[0]["units"]}
        assert units["car-07"]["connection"] == "online"
        town.store.keep([connected(town.car, lost=True)])
        (unit,) = first(stream, "units")[0]["units"]
        assert (unit["name"], unit["connection"]) == ("car-07", "lost")


def test_who_is_far_behind_loads_anew(town, monkeypatch):
    monkeypatch.setattr("sync.map.news.MOST_BEHIND", 10)
    with listening(town, "/api/stream?after=0") as stream:
        _, number = first(stream, "reset")
        assert int(number) == town.ask("/api/findings").json["newest"]


def test_a_database_that_fails_is_told_and_gone_on_with(town, monkeypatch, later):
    from sync.failure import DatabaseFailed
    from sync.receiver.sqlite_atlas import SqliteAtlas

    def fails(*_):
        raise DatabaseFailed("disk_error", "the disk fails")

    with listening(town) as stream:
        first(stream, "beat")
        with monkeypatch.context() as broken:
            broken.setattr(SqliteAtlas, "_rows", fails)
            assert first(stream, "trouble")[0] == {"told": "the disk fails"}
        assert first(stream, "trouble")[0] == {"told": None}
        town.publish(later)
        assert len(first(stream, "change")[0]["findings"]) == 1


def test_many_listen_and_one_asks(town, later):
    with listening(town) as one, listening(town) as two, listening(town) as three:
        for stream in (one, two, three):
            first(stream, "beat")
        town.publish(later)
        assert len({json.dumps(first(stream, "change")[0]) for stream in (one, two, three)}) == 1


def test_what_is_no_news_moves_the_number_on(town):
    with listening(town) as stream:
        first(stream, "beat")
        town.publish(health_of(town.car, town.began_at + timedelta(minutes=1)))
        data, number = first(stream, "change")
        assert data == {}
        assert int(number) > 0


def test_a_long_absence_is_told_in_pieces(serve):
    town = serve()
    town.publish(*rounds_of(town.car, 700, began_at=town.began_at))
    with listening(town, "/api/stream?after=0") as stream:
        one, two = first(stream, "change")[0]["findings"], first(stream, "change")[0]["findings"]
        assert 0 < len(one) <= 500
        assert two
