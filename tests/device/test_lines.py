"""Bytes into lines, whatever the pieces they arrive in."""

from hypothesis import given
from hypothesis import strategies as st

from device.lines import LineSplitter


@given(st.lists(st.binary(min_size=1, max_size=30).filter(lambda line: b"\n" not in line and line.strip() == line)), st.data())
def test_lines_come_out_whole_however_the_stream_is_cut(lines, data):
    stream = b"".join(line + data.draw(st.sampled_from([b"\n", b"\r\n", b"\n\n"])) for line in lines)
    splitter = LineSplitter()
    out = []
    while stream:
        size = data.draw(st.integers(1, len(stream)))
        out += splitter.feed(stream[:size])
        stream = stream[size:]
    assert out == lines
    assert splitter.held == 0


def test_half_a_line_waits_for_its_other_half():
    splitter = LineSplitter()
    assert splitter.feed(b'{"class":') == []
    assert splitter.held == 9
    assert splitter.feed(b'"TPV"}\n{"cl') == [b'{"class":"TPV"}']
    assert splitter.flush() == b'{"cl'
    assert splitter.flush() == b""


def test_a_line_without_end_takes_no_memory_and_costs_only_itself():
    splitter = LineSplitter(longest=100)
    for _ in range(1000):
        assert splitter.feed(b"x" * 90) == []
        assert splitter.held <= 100
    assert splitter.feed(b"end\nnext\n") == [b"next"]
    assert splitter.dropped == 1


def test_the_longest_line_is_still_a_line():
    splitter = LineSplitter(longest=100)
    assert splitter.feed(b"x" * 100 + b"\n" + b"y" * 101 + b"\nz\n") == [b"x" * 100, b"z"]
    assert splitter.dropped == 1
