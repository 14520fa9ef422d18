"""Streams: whatever the pieces, nothing is broken, lost, doubled or let out too early."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hanlin.generation import TextStream

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=40) | st.text(
    "翰林写书。ab\n𠮷é🙂", max_size=40
)


def cut(data: bytes, places: list[int]) -> list[bytes]:
    edges = [0, *sorted(place % (len(data) + 1) for place in places), len(data)]
    return [data[a:b] for a, b in pairwise(edges)]


def run(stream: TextStream, pieces: list[bytes]) -> list[str]:
    return [*(stream.push(piece) for piece in pieces), stream.close()]


@settings(deadline=None, max_examples=150)
@given(text=TEXT, places=st.lists(st.integers(0, 200), max_size=30))
def test_a_joined_stream_is_the_text_and_no_chunk_is_broken(text, places):
    chunks = run(TextStream(), cut(text.encode(), places))
    assert "".join(chunks) == text
    assert all("\ufffd" not in chunk for chunk in chunks) or "\ufffd" in text


@settings(deadline=None, max_examples=150)
@given(data=st.binary(max_size=40), places=st.lists(st.integers(0, 200), max_size=30))
def test_broken_bytes_become_what_decoding_them_whole_makes(data, places):
    assert "".join(run(TextStream(), cut(data, places))) == data.decode("utf-8", "replace")


@settings(deadline=None, max_examples=150)
@given(
    text=TEXT,
    stops=st.lists(st.text("翰林写书。ab\n", min_size=1, max_size=4), min_size=1, max_size=4),
    places=st.lists(st.integers(0, 200), max_size=30),
)
def test_a_stream_ends_before_the_first_stop_string(text, stops, places):
    stream = TextStream(stops)
    # One character at a time at most, as a stop string that is complete ends the text at once.
    chunks = run(stream, [piece for c in text for piece in cut(c.encode(), places[:2])])
    first = next(
        (end for end in range(len(text) + 1) if any(text[:end].endswith(s) for s in stops)), None
    )
    assert stream.stopped is (first is not None)
    if first is None:
        assert "".join(chunks) == text
    else:
        longest = max(len(s) for s in stops if text[:first].endswith(s))
        assert "".join(chunks) == text[: first - longest]


def test_a_character_comes_out_with_its_last_byte():
    stream = TextStream()
    assert [stream.push(bytes([byte])) for byte in "翰a".encode()] == ["", "", "翰", "a"]


def test_the_start_of_a_stop_string_is_held_until_it_is_none():
    stream = TextStream(["<end>"])
    assert [stream.push(piece) for piece in (b"a<", b"en", b"x")] == ["a", "", "<enx"]
    assert [stream.push(piece) for piece in (b"<e", b"nd>", b"more")] == ["", "", ""]
    assert stream.stopped and stream.close() == ""


def test_what_was_held_comes_out_at_the_end():
    stream = TextStream(["书店"])
    assert [stream.push("书".encode()), stream.close()] == ["", "书"]
    cut_off = TextStream()
    assert [cut_off.push(b"a\xe7\xbf"), cut_off.close()] == ["a", "\ufffd"]


@pytest.mark.parametrize("stop", [(), ("",)])
def test_without_stop_strings_nothing_is_held(stop):
    assert TextStream(stop).push("书".encode()) == "书"
