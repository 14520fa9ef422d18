"""Shares of a step's tokens: all that can be given is given, and fairly."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hanlin.generation.fairness import share_tokens

WANTED = st.lists(st.integers(1, 200), max_size=12)


@given(budget=st.integers(0, 300), wanted=WANTED)
def test_everything_that_is_wanted_and_can_be_given_is_given_a_quarter_evenly(budget, wanted):
    given_out = share_tokens(budget, wanted)
    assert sum(given_out) == min(budget, sum(wanted))
    assert all(0 <= got <= want for got, want in zip(given_out, wanted, strict=True))
    short = [got for got, want in zip(given_out, wanted, strict=True) if got < want]
    # Whoever gets less than it wants gets its part of a quarter, whatever the others want.
    assert not short or min(short) >= budget // 4 // len(wanted)


def test_prompts_that_came_together_are_not_all_read_up_at_the_end():
    left, ends = dict.fromkeys(range(32), 32), []
    while left:
        ends.append(0)
        shares = share_tokens(96, list(left.values()))
        for prompt, got in zip(list(left), shares, strict=True):
            left[prompt] -= got
            if not left[prompt]:
                del left[prompt]
                ends[-1] += 1
    assert len(ends) == 11
    assert sum(ends[:7]) >= 16  # at equal shares none is before the last step


@given(budget=st.integers(16, 300), wanted=WANTED)
def test_shares_end_a_prompt_or_a_block_and_something_always_moves(budget, wanted):
    given_out = share_tokens(budget, wanted, unit=16)
    assert sum(given_out) <= budget
    for got, want in zip(given_out, wanted, strict=True):
        assert got == want or got % 16 == 0
    assert not wanted or sum(given_out) > 0
