import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.map.question import BadQuestion, Question, question
from sync.receiver.seen import Box

ALL = ("bbox", "label", "round", "since", "limit", "after")


def test_what_is_asked_is_read():
    asked = question(
        [
            ("bbox", "7.00,43.54,7.05,43.57"),
            ("label", "pothole,patch"),
            ("label", "drain"),
            ("round", "01234567-1"),
            ("since", "2026-03-04"),
            ("limit", "10"),
            ("after", "7"),
            ("token", "secret"),
        ],
        ALL,
    )
    box = Box(7.0, 43.54, 7.05, 43.57)
    assert asked == Question(box, ("pothole", "patch", "drain"), ("01234567-1",), "2026-03-04T00:00:00.000Z", 10, 7)


def test_nothing_asked_leaves_all():
    assert question([], ALL) == Question()


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("bbox", "7,43,8", "bbox is west,south,east,north"),
        ("bbox", "8,43,7,44", "west <= east"),
        ("bbox", "7,43,8,91", "on earth"),
        ("bbox", "nan,43,8,44", "bbox is"),
        ("bbox", "1e1,43,12,44", "bbox is"),
        ("label", "", "label is one name"),
        ("label", ",".join(["a"] + [f"l{n}" for n in range(200)]), "at most 200"),
        ("since", "yesterday", "since is a day"),
        ("since", "2026-02-30", "since is a day"),
        ("limit", "0", "from 1 to 10000"),
        ("limit", "10001", "from 1 to 10000"),
        ("limit", "٣", "limit is a whole number"),
        ("after", "-1", "after is a whole number"),
        ("labels", "pothole", "there is no parameter 'labels' here"),
    ],
)
def test_what_is_wrong_is_named_in_one_sentence(name, value, told):
    with pytest.raises(BadQuestion, match=told) as error:
        question([(name, value)], ALL)
    assert "\n" not in str(error.value)


def test_a_parameter_that_stands_there_twice_is_refused():
    with pytest.raises(BadQuestion, match="limit stands there 2 times"):
        question([("limit", "1"), ("limit", "2")], ALL)


@given(st.lists(st.tuples(st.sampled_from([*ALL, "x"]), st.text(max_size=40)), max_size=4))
def test_whatever_is_asked_is_a_question_or_is_refused(given_pairs):
    try:
        asked = question(given_pairs, ALL)
    except BadQuestion:
        return
    assert 1 <= asked.limit <= 10_000
    assert asked.after >= 0
