from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from hanlin.models import count_parameters
from hanlin.planning.choosing import Chooser
from planned_text import estimate_of


def chooser_of(size: float, seconds: float, memory: float = 1e12) -> Chooser:
    return Chooser(estimate_of(size), seconds, memory, entries=max(512, int(size / 300)))


@settings(deadline=None, max_examples=60)
@given(st.floats(2e4, 1e10), st.floats(60, 1e6), st.floats(1e9, 1e15))
def test_every_choice_is_a_model_that_can_be_built(
    size: float, seconds: float, flops_per_second: float
) -> None:
    chooser = chooser_of(size, seconds)
    choice = chooser.choose(flops_per_second)
    assert choice.vocab_size <= chooser.entries
    assert choice.batch_tokens % choice.model.context_length == 0
    assert chooser.steps(choice, flops_per_second / 1e7) >= 20


def test_more_time_and_more_text_give_larger_models() -> None:
    def weights(size: float, seconds: float) -> int:
        choice = chooser_of(size, seconds).choose(1e12)
        return count_parameters(choice.model).total

    assert weights(1e9, 600) < weights(1e9, 60_000)
    assert weights(1e6, 60_000) < weights(1e9, 60_000)


def test_a_small_memory_gives_a_small_model() -> None:
    free, tight = (chooser_of(1e10, 1e7, memory).choose(1e13) for memory in (1e12, 1.5e9))
    assert count_parameters(tight.model).total < count_parameters(free.model).total


def test_little_text_is_read_at_most_sixteen_times() -> None:
    chooser = chooser_of(300_000, 1e6)
    choice = chooser.choose(1e13)
    epoch = chooser.corpus.tokens(choice.vocab_size)
    assert chooser.steps(choice, 1e9) * choice.batch_tokens <= 16 * epoch
    assert choice.model.dropout == 0.1
