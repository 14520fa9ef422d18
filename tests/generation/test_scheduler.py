"""The scheduler: batches as alone, reuse, fairness, limits, and nothing left behind."""

from __future__ import annotations

import random
from dataclasses import replace
from itertools import pairwise

import pytest
import torch

from hanlin.compression import quantise
from hanlin.config import BatchingConfig, ModelConfig, QuantisationConfig, SamplingConfig
from hanlin.errors import BusyError, UserError
from hanlin.generation import Engine, Job, Scheduler
from hanlin.models import build_model, resolve_model
from hanlin.tokenizers import train_tokenizer

FAMILIES = [("gpt2", "dense"), ("qwen3", "dense"), ("gpt2", "banded"), ("qwen3", "banded")]
GROUPED = {"gpt2": {}, "qwen3": {"num_kv_heads": 2}}
SMALL = BatchingConfig(max_running=4, step_tokens=12, block_tokens=4, max_waiting=100)
EXACT = SMALL.model_copy(update={"deterministic": True})
GREEDY = SamplingConfig(temperature=0, max_tokens=12)


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def settings(rng: random.Random) -> SamplingConfig:
    """Settings of every kind, seeded."""
    return SamplingConfig(
        temperature=rng.choice([0.0, 0.7, 1.3]),
        top_k=rng.choice([0, 0, 5]),
        top_p=rng.choice([1.0, 0.9]),
        repetition_penalty=rng.choice([1.0, 1.0, 1.3]),
        frequency_penalty=rng.choice([0.0, 0.0, 0.4]),
        no_repeat_ngram=rng.choice([0, 0, 2]),
        dry_multiplier=rng.choice([0.0, 0.0, 0.8]),
        logit_bias=rng.choice([(), ((70, 3.0),)]),
        banned=rng.choice([(), ("b",)]),
        logprobs=rng.choice([None, 2]),
        max_tokens=rng.randint(1, 40),
        stop=rng.choice([(), ("a",), ("\n", "。")]),
        seed=rng.randint(0, 10_000),
    )


def prompts(rng: random.Random, count: int) -> list[list[int]]:
    """Prompts of every length, many with a beginning in common."""
    stem = [3 + rng.randrange(256) for _ in range(24)]
    return [
        stem[: rng.randint(0, 24)] + [3 + rng.randrange(256) for _ in range(rng.randint(1, 20))]
        for _ in range(count)
    ]


def write(scheduler: Scheduler, asked: list[tuple[list[int], SamplingConfig]], rng: random.Random):
    """Let requests arrive between steps at random and return their completions."""
    jobs: list[Job] = []
    while len(jobs) < len(asked) or scheduler.busy:
        if len(jobs) < len(asked) and rng.random() < 0.5:
            jobs.append(scheduler.submit(*asked[len(jobs)]))
        else:
            scheduler.step()
    return [job.complete() for job in jobs]


def assert_as_alone(writer: Engine, asked, together) -> None:
    """Every text is what the engine writes alone; log-probabilities agree but for rounding."""
    for found, request in zip(together, asked, strict=True):
        alone = writer.generate(*request)
        assert replace(found, logprobs=[]) == replace(alone, logprobs=[])
        for one, other in zip(found.logprobs, alone.logprobs, strict=True):
            assert one.id == other.id and one.logprob == pytest.approx(other.logprob, abs=1e-4)


def assert_empty(scheduler: Scheduler) -> None:
    assert scheduler.texts.memory.held == 0 and not scheduler.busy
    assert set(scheduler.texts.memory.references) == {0}


@pytest.mark.parametrize(("family", "attention"), FAMILIES)
@pytest.mark.parametrize("config", [SMALL, EXACT])
def test_random_arrivals_write_what_each_request_does_alone(engine, family, attention, config):
    writer = engine(family, attention=attention, band_width=6, **GROUPED[family])
    rng = random.Random(7)
    asked = [(prompt, settings(rng)) for prompt in prompts(rng, 16)]
    scheduler = Scheduler(writer, config)
    together = write(scheduler, asked, rng)
    assert_as_alone(writer, asked, together)
    assert scheduler.statistics().reused_tokens > 0
    assert_empty(scheduler)


def bits_of(scheduler: Scheduler, asked, rng: random.Random) -> dict[int, list[torch.Tensor]]:
    """Return the logits that each request's tokens are drawn from."""
    seen: dict[int, list[torch.Tensor]] = {}
    read = scheduler.texts.reader.read

    def watch(portions):
        logits = read(portions)
        due = [portion for portion in portions if portion.is_due]
        for portion, row in zip(due, logits, strict=True):
            job = next(job for job in scheduler.running if job.table is portion.table)
            seen.setdefault(job.draft.limit, []).append(row.clone())
        return logits

    scheduler.texts.reader.read = watch
    write(scheduler, asked, rng)
    return seen


@pytest.mark.parametrize("family", ["gpt2", "qwen3"])
def test_deterministic_logits_are_those_of_a_request_alone_to_the_last_bit(engine, family):
    writer = engine(family, context_length=96, **GROUPED[family])
    rng = random.Random(3)
    asked = [
        (prompt, settings(rng).model_copy(update={"max_tokens": place + 3, "stop": ()}))
        for place, prompt in enumerate(prompts(rng, 10))
    ]
    together = bits_of(Scheduler(writer, EXACT), asked, rng)
    for request in asked:
        (limit, alone), *_ = bits_of(Scheduler(writer, EXACT), [request], rng).items()
        assert len(alone) == len(together[limit])
        assert all(torch.equal(a, b) for a, b in zip(alone, together[limit], strict=True))


def test_plain_logits_differ_from_those_alone_by_rounding_only(engine):
    writer = engine("qwen3")
    rng = random.Random(4)
    asked = [
        (prompt, GREEDY.model_copy(update={"max_tokens": place + 2}))
        for place, prompt in enumerate(prompts(rng, 8))
    ]
    together = bits_of(Scheduler(writer, SMALL), asked, rng)
    for request in asked:
        (limit, alone), *_ = bits_of(Scheduler(writer, SMALL), [request], rng).items()
        for one, other in zip(alone, together[limit], strict=True):
            torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)


def test_in_eight_bits_too_company_does_not_matter(engine):
    writer = engine("qwen3", num_kv_heads=2)
    rng = random.Random(5)
    asked = [(prompt, settings(rng)) for prompt in prompts(rng, 8)]
    config = EXACT.model_copy(update={"cache_bits": 8})
    together = write(Scheduler(writer, config), asked, rng)
    assert together == [write(Scheduler(writer, config), [one], rng)[0] for one in asked]


@pytest.mark.parametrize("family", ["gpt2", "qwen3"])
def test_a_quantised_model_writes_in_company_what_it_writes_alone(engine, family):
    plain = engine(family)
    packed = quantise(plain.model, QuantisationConfig(bits=4, group=32, method="rtn"))
    writer = Engine(packed, plain.tokenizer)
    rng = random.Random(9)
    asked = [(prompt, settings(rng)) for prompt in prompts(rng, 6)]
    together = write(Scheduler(writer, SMALL), asked, rng)
    assert_as_alone(writer, asked, together)


def test_constrained_texts_fit_in_company_and_are_those_alone():
    tokenizer = train_tokenizer("bpe", ['{"家": 3, "name": "cat"} 小猫。'] * 30, 350)
    shape = {"context_length": 96, "hidden_size": 32, "num_layers": 1, "num_heads": 2}
    config = resolve_model(ModelConfig(**shape), tokenizer.vocab_size)
    writer = Engine(build_model(config, seed=1), tokenizer)
    warm = SamplingConfig(temperature=1.0, max_tokens=40)
    bound = {"regex": "[0-9]{3}-猫"}, {"choices": ("小猫", "cat")}, {"json_schema": '{"enum": [3]}'}
    asked = [
        (tokenizer.encode("小猫"), warm.model_copy(update={"seed": seed, **bound[seed % 3]}))
        for seed in range(9)
    ]
    together = write(Scheduler(writer, SMALL), asked, random.Random(2))
    assert_as_alone(writer, asked, together)
    assert {text.text for text in together[1::3]} <= {"小猫", "cat"}
    assert {text.text for text in together[2::3]} == {"3"}


def test_every_setting_of_sampling_is_known():
    # A new one must be drawn with in `hanlin.generation.drawing`, or be refused by `submit`.
    known = "max_tokens temperature top_k top_p min_p repetition_penalty presence_penalty "
    known += (
        "frequency_penalty stop seed typical_p dry_multiplier dry_base dry_allowed dry_breakers "
    )
    known += "no_repeat_ngram logit_bias banned forced json_schema regex grammar choices logprobs "
    known += "min_tokens "
    known += "guidance best_of negative_prompt"  # these are refused
    assert set(SamplingConfig.model_fields) == set(known.split())


def test_a_beginning_that_was_read_before_is_not_read_again(engine):
    writer = engine()
    scheduler = Scheduler(writer, SMALL)
    stem = list(range(50, 73))
    first, second = scheduler.submit([*stem, 9], GREEDY), None
    scheduler.run()
    read = scheduler.statistics().read_tokens
    second = scheduler.submit([*stem, 11, 12], GREEDY)
    scheduler.run()
    assert second.reused == 20 and first.reused == 0
    written = len(second.draft.ids)
    assert scheduler.statistics().read_tokens - read <= 5 + written
    assert second.complete() == writer.generate([*stem, 11, 12], GREEDY)
    no_reuse = Scheduler(writer, SMALL.model_copy(update={"prefix_reuse": False}))
    job = no_reuse.submit([*stem, 11, 12], GREEDY)
    no_reuse.run()
    assert job.complete() == second.complete() and no_reuse.texts.memory.registered == 0


def test_an_answer_is_reused_when_the_talk_goes_on(engine):
    writer = engine()
    scheduler = Scheduler(writer, SMALL)
    first = scheduler.submit([5] * 10, GREEDY.model_copy(update={"max_tokens": 9}))
    scheduler.run()
    talk = [*first.draft.prompt, *first.draft.ids, 7, 8]
    second = scheduler.submit(talk, GREEDY)
    scheduler.run()
    assert second.reused >= len(first.draft.prompt)
    assert second.complete() == writer.generate(talk, GREEDY)


@pytest.mark.parametrize("steps", [0, 1, 3])
def test_cancelling_frees_the_blocks_within_one_step(engine, steps):
    scheduler = Scheduler(engine(), SMALL)
    job = scheduler.submit([5] * 20, SamplingConfig(temperature=1, max_tokens=20, seed=1))
    for _ in range(steps):
        scheduler.step()
    job.cancelled = True
    assert job in scheduler.step()
    assert job.complete().finish_reason == "cancelled"
    assert_empty(scheduler)


def test_a_late_text_ends_with_what_was_written(engine):
    clock = Clock()
    scheduler = Scheduler(engine(), SMALL, clock=clock)
    job = scheduler.submit([5] * 3, SamplingConfig(temperature=1, seed=1), seconds=2.5)
    while not job.done:
        scheduler.step()
        clock.now += 1.0
    assert job.complete().finish_reason == "deadline" and len(job.draft.ids) == 3
    assert scheduler.statistics().ended == {"deadline": 1}
    assert_empty(scheduler)


def test_a_full_queue_refuses_and_says_so(engine):
    scheduler = Scheduler(engine(), SMALL.model_copy(update={"max_waiting": 2}))
    jobs = [scheduler.submit([5], GREEDY) for _ in range(2)]
    with pytest.raises(BusyError, match="2 requests wait already"):
        scheduler.submit([5], GREEDY)
    scheduler.run()
    assert all(job.done for job in jobs) and scheduler.statistics().refused == 1


@pytest.mark.parametrize("change", [{"guidance": 2.0}, {"best_of": 2}])
def test_settings_that_ask_for_more_than_one_text_are_refused(engine, change):
    with pytest.raises(UserError, match="writes one a request"):
        Scheduler(engine(), SMALL).submit([5], GREEDY.model_copy(update=change))


def test_what_can_never_fit_is_refused_at_once(engine):
    scheduler = Scheduler(engine(), SMALL.model_copy(update={"cache_tokens": 16}))
    with pytest.raises(UserError, match="the cache holds 16"):
        scheduler.submit([5] * 10, SamplingConfig(max_tokens=20))
    with pytest.raises(UserError, match="leaves no room"):
        scheduler.submit([5] * 48, GREEDY)
    with pytest.raises(UserError, match="not in the model's vocabulary"):
        scheduler.submit([10_000], GREEDY)
    assert not scheduler.busy


def test_texts_may_fill_the_context(engine):
    writer = engine()
    scheduler = Scheduler(writer, SMALL)
    long = SamplingConfig(temperature=0, max_tokens=1000)
    jobs = [scheduler.submit([5] * length, long) for length in (40, 1, 47, 20)]
    scheduler.run()
    for job in jobs:
        assert job.complete() == writer.generate(job.draft.prompt, long)


def test_a_long_prompt_does_not_hold_up_a_short_one(engine):
    scheduler = Scheduler(engine(), SMALL)
    long = scheduler.submit([5] * 40, GREEDY)
    short = scheduler.submit([6] * 6, GREEDY)
    scheduler.step()
    assert short.draft.ids and not long.draft.ids and long.read == 6


def test_texts_being_written_advance_in_every_step(engine):
    writer = engine()
    silence_ends(writer)
    scheduler = Scheduler(writer, SMALL)
    text = scheduler.submit([5], SamplingConfig(temperature=0, max_tokens=12))
    scheduler.step()
    scheduler.submit([6] * 45, GREEDY)
    lengths = []
    while not text.done:
        scheduler.step()
        lengths.append(len(text.draft.ids))
    assert all(after == before + 1 for before, after in pairwise(lengths))


def test_only_so_many_may_pass_a_request_that_does_not_fit(engine):
    writer = engine()
    silence_ends(writer)
    config = SMALL.model_copy(update={"cache_tokens": 48, "max_overtakes": 3})
    scheduler = Scheduler(writer, config)
    scheduler.submit([5] * 8, SamplingConfig(temperature=0, max_tokens=24))
    scheduler.step()
    big = scheduler.submit([6] * 30, SamplingConfig(temperature=0, max_tokens=18))
    small = [scheduler.submit([7], SamplingConfig(temperature=0, max_tokens=2)) for _ in range(8)]
    while big.read == 0:
        scheduler.step()
        assert big.overtaken <= 3
    assert sum(job.done for job in small) == 3
    scheduler.run()
    assert big.done and all(job.done for job in small)


def test_thousands_of_random_operations_leave_nothing_behind(engine):
    writer = engine(hidden_size=16, num_layers=1, num_heads=2)
    config = SMALL.model_copy(update={"cache_tokens": 120, "max_waiting": 6, "max_overtakes": 2})
    clock = Clock()
    scheduler = Scheduler(writer, config, clock=clock)
    rng = random.Random(11)
    texts = prompts(rng, 60)
    pool, jobs = scheduler.texts.memory, []
    for _ in range(2000):
        clock.now += 1.0
        chance = rng.random()
        if chance < 0.4:
            late = rng.choice([float("inf"), 5.0])
            try:
                jobs.append(scheduler.submit(rng.choice(texts), settings(rng), seconds=late))
            except BusyError:
                assert scheduler.statistics().waiting == 6
        elif chance < 0.5 and jobs:
            rng.choice(jobs).cancelled = True
        else:
            scheduler.step()
        held = {block for job in scheduler.running for block in job.table}
        assert pool.held == len(held)
        assert sum(pool.references) == sum(len(job.table) for job in scheduler.running)
    scheduler.run()
    assert_empty(scheduler)
    counts = scheduler.statistics()
    assert sum(counts.ended.values()) == counts.accepted == len(jobs)
    assert counts.evictions > 0 and counts.reused_tokens > 0


def silence_ends(engine: Engine) -> None:
    """Make the end tokens impossible, so that texts run to their limits."""
    with torch.no_grad():
        engine.model.norm.weight.fill_(1.0)
        engine.model.embedding.weight[:3] = 0.0
