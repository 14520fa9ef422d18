"""The blocks of a paged cache: an allocator against a plain model of it, and what goes first."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from hanlin.generation.blocks import ROOT, BlockPool

SIZE = 2
OPERATIONS = st.lists(
    st.tuples(
        st.sampled_from(["take", "take", "release"]),
        st.lists(st.integers(0, 1), min_size=1, max_size=12),
        st.integers(0, 20),
    ),
    max_size=60,
)


def register(pool: BlockPool, table: list[int], tokens: list[int], known: int) -> None:
    """Register all full blocks of a text after the `known` first."""
    name = pool.name(table[known - 1]) if known else ROOT
    for place in range(known, len(tokens) // SIZE):
        name = pool.register(table[place], name, tokens[place * SIZE : place * SIZE + SIZE])


@settings(deadline=None, max_examples=200)
@given(operations=OPERATIONS)
def test_whatever_happens_blocks_are_neither_lost_nor_given_twice(operations):
    pool = BlockPool(12, SIZE)
    content: dict[int, list[int]] = {}  # what the memory of a block would hold: the text up to it
    texts: list[list[int]] = []
    for kind, tokens, number in operations:
        if kind == "take":
            shared = pool.match(tokens)
            for place, block in enumerate(shared):
                assert content[block] == tokens[: (place + 1) * SIZE]
            count = -(-len(tokens) // SIZE) - len(shared)
            free = pool.available - sum(pool.references[block] == 0 for block in shared)
            table = pool.take(shared, count)
            assert (table is None) == (count > free)
            if table is not None:
                held = {block for text in texts for block in text}
                assert not held & set(table[len(shared) :]) and len(set(table)) == len(table)
                for place in range(len(shared), len(table)):
                    content[table[place]] = tokens[: (place + 1) * SIZE]
                register(pool, table, tokens, len(shared))
                texts.append(table)
        elif texts:
            pool.release(texts.pop(number % len(texts)))
        for block in range(12):
            assert pool.references[block] == sum(text.count(block) for text in texts)
        assert pool.held + pool.available == 12
    for table in texts:
        pool.release(table)
    assert pool.held == 0 and pool.available == 12


def test_the_least_recently_used_beginning_goes_first_and_its_end_before_its_start():
    pool = BlockPool(6, SIZE)
    for first in (10, 20, 30):
        tokens = [first, 0, first, 1]
        table = pool.take([], 2)
        register(pool, table, tokens, 0)
        pool.release(table)
    pool.release(pool.take(pool.match([10, 0, 10, 1]), 0))  # used again
    assert pool.take([], 1) == [3]  # the end of the text of twenties
    assert len(pool.match([20, 0, 20, 1])) == 1
    assert pool.take([], 1) == [2]
    assert not pool.match([20, 0, 20, 1]) and len(pool.match([10, 0, 10, 1])) == 2


def test_new_blocks_are_neighbours_where_there_are_any():
    pool = BlockPool(8, SIZE)
    tables = [pool.take([], 2) for _ in range(4)]
    pool.release(tables[0])
    pool.release(tables[2])
    assert pool.take([], 2) == [0, 1]
    pool.release(tables[3])
    assert pool.take([], 3) == [4, 5, 6]


def test_scattered_blocks_are_taken_where_there_are_no_neighbours():
    pool = BlockPool(6, SIZE)
    tables = [pool.take([], 1) for _ in range(6)]
    for table in tables[::2]:
        pool.release(table)
    assert pool.take([], 3) == [0, 2, 4]
    assert pool.take([], 1) is None


def test_equal_texts_read_side_by_side_keep_one_name():
    pool = BlockPool(4, SIZE)
    one, two = pool.take([], 1), pool.take([], 1)
    assert pool.register(one[0], ROOT, [1, 2]) == pool.register(two[0], ROOT, [1, 2])
    assert pool.registered == 1 and pool.match([1, 2]) == one
