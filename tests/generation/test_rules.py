"""Rules of drawing: repetition, bias, banned and forced texts, guidance, best-of, logprobs."""

from __future__ import annotations

import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from hanlin.config import SamplingConfig
from hanlin.errors import TokenizerError, UserError
from hanlin.generation import LookupProposer, Scheduler, Speculation
from hanlin.generation.best import mean_logprob
from hanlin.generation.guidance import combine
from hanlin.generation.repeats import (
    DontRepeatYourself,
    NoRepeatedNgram,
    longest_matches,
    longest_matches_reference,
)
from hanlin.generation.sampling import distribution, draw
from hanlin.generation.vocabulary import Vocabulary
from hanlin.generation.words import BannedTexts, ForcedTexts, LogitBias

WARM = SamplingConfig(temperature=1.0, top_p=1.0, max_tokens=20, seed=5)


@pytest.fixture
def vocabulary(tokenizer) -> Vocabulary:
    return Vocabulary(tokenizer)


def encoded(text: str) -> list[int]:
    return [3 + byte for byte in text.encode()]


@settings(deadline=None, max_examples=50)
@given(ids=st.lists(st.integers(0, 3), max_size=30), most=st.integers(1, 9))
def test_matches_equal_those_of_the_plain_loops(ids, most):
    assert longest_matches(most, ids) == longest_matches_reference(most, ids)


def test_dry_grows_with_the_match_and_stops_at_breakers(vocabulary):
    config = SamplingConfig(dry_multiplier=0.8, dry_base=2.0, dry_allowed=2)
    logits = torch.zeros(259)
    DontRepeatYourself(config, vocabulary, encoded("abcdx bcdy.abcd")).steer(logits)
    expected = {"x": 0.8 * 2**2, "y": 0.8 * 2}
    for letter, loss in expected.items():
        assert logits[encoded(letter)[0]] == pytest.approx(-loss)
    broken = torch.zeros(259)
    DontRepeatYourself(config, vocabulary, encoded("a:dx a:d")).steer(broken)
    assert not broken.any()


def test_an_ngram_is_not_written_twice(vocabulary):
    logits = torch.zeros(259)
    rule = NoRepeatedNgram(3, vocabulary, encoded("abcab"))
    rule.steer(logits)
    assert (logits == -torch.inf).nonzero().flatten().tolist() == encoded("c")
    rule.take(encoded("d")[0])
    later = torch.zeros(259)
    rule.steer(later)
    assert not later.any()


def test_a_character_that_has_begun_is_finished(vocabulary):
    rules = [
        NoRepeatedNgram(2, vocabulary, encoded("锁锁")),
        DontRepeatYourself(SamplingConfig(dry_multiplier=1.0), vocabulary, encoded("锁锁")),
    ]
    rules.append(NoRepeatedNgram(2, vocabulary, encoded("锁锁")[:5]))
    for rule in rules:
        for token in encoded("锁")[:2] if rule is not rules[2] else ():
            rule.take(token)
        logits = torch.zeros(259)
        rule.steer(logits)
        assert not logits.any()


def test_no_ngram_comes_twice_in_a_whole_text(engine):
    letters_only = tuple((token, -100.0) for token in range(3 + 128, 259))
    changes = {"no_repeat_ngram": 2, "logit_bias": letters_only}
    found = engine().generate("从前", WARM.model_copy(update=changes))
    ids = [*encoded("从前"), *found.ids]
    pairs = [pair for pair in itertools.pairwise(ids) if min(pair) > 2]
    assert len(pairs[5:]) == len(set(pairs[5:]) - set(pairs[:5]))


def test_bias_moves_tokens_by_id_and_by_text(vocabulary):
    logits = torch.zeros(259)
    LogitBias(SamplingConfig(logit_bias={"a": 2.0, 7: -1.0}).logit_bias, vocabulary).steer(logits)
    assert logits[encoded("a")[0]] == 2 and logits[7] == -1 and logits.abs().sum() == 3


@pytest.mark.parametrize("token", ["ab", 259])
def test_a_bias_on_what_is_not_one_token_is_refused(vocabulary, token):
    with pytest.raises(UserError, match="not one token"):
        LogitBias([(token, 1.0)], vocabulary)


def test_a_text_does_not_end_before_its_fewest_tokens(engine):
    writer = engine()
    eager = WARM.model_copy(update={"logit_bias": ((0, 100.0), (2, 100.0))})
    assert writer.generate("a", eager).ids == []
    held = eager.model_copy(update={"min_tokens": 6})
    alone = writer.generate("a", held)
    assert (len(alone.ids), alone.finish_reason) == (6, "stop")
    assert not {0, 2} & set(alone.ids)
    assert [len(each.ids) for each in writer.generate_batch(["a", "bc", ""], held)] == [6] * 3
    speculation = Speculation(LookupProposer(shortest=1))
    assert writer.generate("a", held, speculation) == alone
    scheduler = Scheduler(writer)
    jobs = [scheduler.submit("a", held), scheduler.submit("a", eager)]
    scheduler.run()
    assert [job.complete() for job in jobs] == [alone, writer.generate("a", eager)]


def test_a_stop_string_ends_a_text_before_its_fewest_tokens(engine):
    writer = engine()
    text = writer.generate("a", WARM).text
    stopped = WARM.model_copy(update={"min_tokens": 20, "stop": (text[1],)})
    assert len(writer.generate("a", stopped).ids) < 20


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"min_tokens": 9, "max_tokens": 8}, "min_tokens 9 is above max_tokens 8"),
        ({"min_tokens": 2, "regex": "[0-9]"}, "min_tokens and regex exclude each other"),
    ],
)
def test_fewest_tokens_that_cannot_be_are_refused(values, message):
    with pytest.raises(ValidationError, match=message):
        SamplingConfig(**values)


def test_a_banned_text_is_found_across_tokens(vocabulary):
    rule = BannedTexts(["猫", "bc"], vocabulary)
    for token in encoded("猫")[:2]:
        rule.take(token)
    logits = torch.zeros(259)
    rule.steer(logits)
    assert (logits == -torch.inf).nonzero().flatten().tolist() == [encoded("猫")[2]]


def test_banned_texts_are_never_written(engine):
    writer = engine()
    usual = writer.generate("a", WARM)
    pair = writer.tokenizer.decode_bytes(usual.ids).decode("latin-1")[:2]
    banned = [letter for letter in pair if letter.isascii()] or ["\x00"]
    found = writer.generate("a", WARM.model_copy(update={"banned": tuple(banned)}))
    assert not any(letter in found.text for letter in banned)


@pytest.mark.parametrize("seed", range(4))
def test_forced_texts_are_written_within_the_limit(engine, seed):
    writer = engine()
    config = WARM.model_copy(update={"forced": ("小猫", "end"), "seed": seed})
    found = writer.generate("a", config)
    assert "小猫" in found.text and "end" in found.text and len(found.ids) <= 20


def test_an_end_waits_for_a_forced_text(vocabulary):
    rule = ForcedTexts(["ab"], vocabulary, limit=20)
    written = []
    for _ in range(3):
        written.append(rule.amend(0))
        rule.take(written[-1])
    assert written == [*encoded("ab"), 0]


def test_forced_texts_without_room_are_refused(engine):
    config = WARM.model_copy(update={"forced": ("a" * 30,)})
    with pytest.raises(UserError, match="take 30 tokens, and there is room for 20"):
        engine().generate("a", config)


def test_texts_cannot_be_banned_where_tokens_do_not_make_up_the_text(vocabulary):
    vocabulary.tokenizer.kind = "word"
    with pytest.raises(TokenizerError, match="word tokenizer"):
        BannedTexts(["a"], vocabulary)


@settings(deadline=None, max_examples=30)
@given(
    seed=st.integers(0, 1000),
    top_k=st.sampled_from([0, 3]),
    top_p=st.sampled_from([0.5, 1.0]),
    typical_p=st.sampled_from([0.4, 1.0]),
)
def test_the_distribution_is_what_is_drawn(seed, top_k, top_p, typical_p):
    logits = torch.randn(1, 6, generator=torch.Generator().manual_seed(seed)) * 2
    config = SamplingConfig(temperature=1.0, top_k=top_k, top_p=top_p, typical_p=typical_p)
    grid = (torch.arange(2000, dtype=torch.float64) + 0.5) / 2000
    counts = draw(logits.expand(2000, 6), config, grid).bincount(minlength=6)
    assert torch.allclose(counts / 2000, distribution(logits, config)[0].float(), atol=2e-3)


def test_typical_p_leaves_out_the_likeliest_where_it_says_too_little():
    shares = torch.tensor([[0.4, 0.2, 0.15, 0.15, 0.1]])
    config = SamplingConfig(temperature=1.0, top_p=1.0, typical_p=0.3)
    assert distribution(shares.log(), config)[0].nonzero().flatten().tolist() == [1, 2]


def test_guidance_of_one_changes_nothing_and_of_zero_forgets_the_prompt():
    with_prompt, without = torch.randn(2, 1, 5, generator=torch.Generator().manual_seed(1))
    same = combine(with_prompt, without, 1.0)
    assert torch.allclose(same, with_prompt.log_softmax(-1), atol=1e-6)
    assert torch.allclose(combine(with_prompt, without, 0.0), without.log_softmax(-1))


def test_guided_greedy_text_equals_the_plain_uncached_loop(engine):
    writer = engine()
    found = writer.generate(
        "写书", SamplingConfig(temperature=0, max_tokens=8, guidance=2.5, negative_prompt="ab")
    )
    written: list[int] = []
    with torch.inference_mode():
        for _ in found.ids:
            ids, negative = [*encoded("写书"), *written], [*encoded("ab"), *written]
            rows = [writer.model(torch.tensor([r]))[0, -1, :259] for r in (ids, negative)]
            written.append(int(combine(rows[0], rows[1], 2.5).argmax()))
    assert found.ids == written


@pytest.mark.parametrize("changes", [{"guidance": 2.0}, {"dry_multiplier": 1.0, "banned": ("e",)}])
def test_batches_under_rules_write_what_each_prompt_does_alone(engine, changes):
    writer, config = engine(), WARM.model_copy(update=changes)
    prompts = ["从前", "a", "Once upon a time"]
    for row, text in enumerate(writer.generate_batch(prompts, config)):
        alone = writer.generate(prompts[row], config.model_copy(update={"seed": 5 + row}))
        assert text == alone


def test_logprobs_are_the_models_own_with_bytes_and_the_likeliest(engine):
    writer = engine()
    found = writer.generate("从前", WARM.model_copy(update={"logprobs": 2}))
    ids = [*encoded("从前"), *found.ids]
    with torch.inference_mode():
        scores = writer.model(torch.tensor([ids]))[0, 5:-1, :259].log_softmax(-1)
    expected = scores.gather(-1, torch.tensor(found.ids)[:, None])[:, 0].tolist()
    assert [note.id for note in found.logprobs] == found.ids
    assert [note.logprob for note in found.logprobs] == pytest.approx(expected, abs=1e-4)
    for note in found.logprobs:
        assert len(note.top) == 2 and note.top[0].logprob >= note.top[1].logprob
        assert bytes(note.bytes) == writer.vocabulary.piece(note.id)


def test_the_best_of_several_is_the_likeliest_of_them(engine):
    writer = engine()
    best = writer.generate("a", WARM.model_copy(update={"best_of": 4}))
    drawn = writer.samples("a", WARM.model_copy(update={"logprobs": 0}), 4)
    assert len({text.text for text in drawn}) > 1
    assert best.ids == max(drawn, key=mean_logprob).ids and best.logprobs == []
    with pytest.raises(UserError, match="without streaming"):
        writer.stream("a", WARM.model_copy(update={"best_of": 4}))
