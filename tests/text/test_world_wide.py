from __future__ import annotations

import random

from hanlin.text.world import wide_sentences
from hanlin.text.world.casting import held_out
from hanlin.text.world.grammar import grammar_of
from hanlin.text.world.lexicon import THINGS


def test_both_languages_tell_the_same_event_and_no_pair_that_training_keeps_apart() -> None:
    rng = random.Random(1)
    for _ in range(300):
        told = wide_sentences(rng)
        zh, en = (grammar_of(each).read(text, "middle") for each, text in told.items())
        assert zh is not None and en is not None, told
        assert zh.event == en.event
        assert not held_out((zh.event,))


def test_rare_things_are_as_likely_as_common_ones() -> None:
    rng = random.Random(2)
    told = " ".join(wide_sentences(rng)["zh"] for _ in range(3000))
    named = [thing for thing in THINGS.values() if thing.zh in told]
    assert len(named) > 0.98 * len(THINGS)
