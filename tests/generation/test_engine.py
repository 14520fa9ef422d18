"""The engine: greedy against the plain loop, batches against single texts, ends and limits."""

from __future__ import annotations

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hanlin.config import SamplingConfig
from hanlin.errors import TokenizerError, UserError
from hanlin.generation import Engine

GREEDY = SamplingConfig(temperature=0, max_tokens=20)
WARM = SamplingConfig(temperature=1.0, max_tokens=20, seed=5)
FAMILIES = [("gpt2", "dense"), ("qwen3", "dense"), ("gpt2", "banded"), ("qwen3", "banded")]
PROMPTS = ["从前", "a", "Once upon a time", "", "雨"]


def silence_ends(engine: Engine) -> None:
    """Make the end tokens impossible, so that texts run to their limits."""
    with torch.no_grad():
        engine.model.norm.weight.fill_(1.0)
        engine.model.embedding.weight[:3] = 0.0


@pytest.mark.parametrize(("family", "attention"), FAMILIES)
def test_greedy_text_equals_that_of_the_plain_uncached_loop(engine, family, attention):
    written = engine(family, attention=attention, band_width=6)
    found = written.generate("写书", GREEDY)
    ids = written.tokenizer.encode("写书")
    with torch.inference_mode():
        for _ in found.ids:
            ids.append(int(written.model(torch.tensor([ids]))[0, -1, :259].argmax()))
    assert found.ids == ids[6:] and found.prompt_tokens == 6


@pytest.mark.parametrize(("family", "attention"), FAMILIES)
@pytest.mark.parametrize("sampling", [GREEDY, WARM])
def test_a_batch_writes_what_each_prompt_does_alone(engine, family, attention, sampling):
    writer = engine(family, attention=attention, band_width=6)
    together = writer.generate_batch(PROMPTS, sampling)
    for row, prompt in enumerate(PROMPTS):
        seed = None if sampling.seed is None else sampling.seed + row
        assert together[row] == writer.generate(prompt, sampling.model_copy(update={"seed": seed}))


def test_a_batch_with_penalties_writes_what_each_prompt_does_alone(engine):
    writer = engine()
    config = WARM.model_copy(update={"repetition_penalty": 1.2, "frequency_penalty": 0.3})
    together = writer.generate_batch(PROMPTS, config)
    for row, prompt in enumerate(PROMPTS):
        alone = writer.generate(prompt, config.model_copy(update={"seed": 5 + row}))
        assert together[row] == alone
    assert together != writer.generate_batch(PROMPTS, WARM)


def test_samples_of_one_prompt_are_those_of_its_seeds(engine):
    writer = engine()
    for row, sample in enumerate(writer.samples("从前", WARM, 3)):
        assert sample == writer.generate("从前", WARM.model_copy(update={"seed": 5 + row}))


def test_rows_of_every_length_may_fill_the_context(engine):
    writer = engine()
    silence_ends(writer)
    prompts = [[5] * length for length in (40, 1, 47, 20, 33, 2, 3, 4)]
    filled = writer.generate_batch(prompts, SamplingConfig(temperature=0, max_tokens=100))
    assert [len(text.ids) for text in filled] == [48 - len(prompt) for prompt in prompts]
    assert {text.finish_reason for text in filled} == {"length"}


@settings(
    deadline=None, max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(lengths=st.lists(st.integers(1, 47), min_size=1, max_size=4), seed=st.integers(0, 99))
def test_any_mixture_of_lengths_equals_single_texts(engine, lengths, seed):
    writer = engine(hidden_size=16, num_layers=1, num_heads=2)
    prompts = [[3 + (7 * n + i) % 256 for i in range(n)] for n in lengths]
    config = SamplingConfig(temperature=1.5, max_tokens=60, seed=seed)
    for row, text in enumerate(writer.generate_batch(prompts, config)):
        alone = writer.generate(prompts[row], config.model_copy(update={"seed": seed + row}))
        assert text == alone


@pytest.mark.parametrize("sampling", [GREEDY, WARM])
@pytest.mark.parametrize("stop", [(), ("e", "的")])
def test_a_joined_stream_is_the_generated_text(engine, sampling, stop):
    writer, config = engine(), sampling.model_copy(update={"stop": stop})
    for prompt in PROMPTS:
        assert "".join(writer.stream(prompt, config)) == writer.generate(prompt, config).text


def test_the_same_seed_writes_the_same_and_no_seed_writes_anew(engine):
    writer = engine()
    assert writer.generate("a", WARM) == writer.generate("a", WARM)
    unseeded = WARM.model_copy(update={"seed": None})
    texts = {writer.generate("a", unseeded).text for _ in range(5)}
    assert len(texts) > 1


def test_a_shorter_limit_only_cuts_the_text_off(engine):
    writer = engine()
    silence_ends(writer)
    longer = writer.generate("a", WARM)
    shorter = writer.generate("a", WARM.model_copy(update={"max_tokens": 7}))
    assert shorter.ids == longer.ids[:7] and shorter.finish_reason == "length"


def test_a_text_ends_before_its_stop_string(engine):
    writer = engine()
    silence_ends(writer)
    whole = writer.generate("a", GREEDY)
    stop = whole.text[4:6]
    stopped = writer.generate("a", GREEDY.model_copy(update={"stop": (stop,)}))
    assert stopped.finish_reason == "stop"
    assert stopped.text == whole.text[: whole.text.index(stop)]


@pytest.mark.parametrize("end", [0, 2])
def test_a_text_ends_at_the_end_tokens(engine, end):
    writer = engine()
    with torch.no_grad():
        for block in writer.model.blocks:  # only the last token speaks, and it speaks for `end`
            block.attention.output.weight.zero_()
            block.mlp.down.weight.zero_()
        writer.model.embedding.weight[end] = 10 * writer.model.embedding.weight[100]
    ended = writer.generate([50, 100], GREEDY)
    assert (ended.finish_reason, ended.ids, ended.text) == ("stop", [], "")


def test_control_tokens_are_no_part_of_the_text(engine):
    writer = engine()
    with torch.no_grad():
        for block in writer.model.blocks:
            block.attention.output.weight.zero_()
            block.mlp.down.weight.zero_()
        writer.model.embedding.weight[1] = 10 * writer.model.embedding.weight[100]
    written = writer.generate([100], SamplingConfig(temperature=0, max_tokens=3))
    assert written.ids[0] == 1 and "im_start" not in written.text


def test_padding_rows_of_the_model_are_never_drawn(engine):
    writer = engine()
    with torch.no_grad():
        writer.model.embedding.weight[259:] = 100 * writer.model.embedding.weight[5]
    written = writer.generate_batch([[5]] * 20, WARM)
    assert max(max(text.ids, default=0) for text in written) < 259


def test_an_empty_prompt_begins_a_document(engine):
    writer = engine()
    assert writer.generate("", GREEDY) == writer.generate([0], GREEDY)


def test_no_prompts_give_no_texts(engine):
    assert engine().generate_batch([], GREEDY) == []


def test_a_prompt_that_fills_the_context_is_refused_with_both_numbers(engine):
    with pytest.raises(UserError, match=r"48 tokens .* context of 48\. .* at most 47"):
        engine().generate("a" * 48, GREEDY)


def test_a_foreign_token_id_is_refused(engine):
    with pytest.raises(UserError, match="Token id 999 is not in the model's vocabulary of 320"):
        engine().generate([999], GREEDY)


def test_a_tokenizer_larger_than_the_model_is_refused(engine, tokenizer):
    model = engine().model
    tokenizer.vocab_size = 500
    with pytest.raises(TokenizerError, match="500 entries, but the model has 320 rows"):
        Engine(model, tokenizer)


def test_logprobs_are_those_of_the_forward_pass(engine):
    writer = engine()
    ids = writer.tokenizer.encode("从前有书")
    with torch.inference_mode():
        logits = writer.model(torch.tensor([ids]))[0].log_softmax(-1)
    expected = [logits[place, token].item() for place, token in enumerate(ids[1:])]
    assert writer.logprobs(ids) == pytest.approx(expected, abs=1e-5)


def test_next_logprobs_of_many_prompts_are_those_of_each(engine):
    writer, prompts = engine(), [[0, 90, 91], [0, 95], [0]]
    for prompt, found in zip(prompts, writer.next_logprobs(prompts, [3, 97]), strict=True):
        wanted = [writer.logprobs([*prompt, id])[-1] for id in (3, 97)]
        assert found == pytest.approx(wanted, abs=1e-5)
    assert writer.next_logprobs([], [3]) == []
    with pytest.raises(UserError, match=r"50 tokens .* context is 48"):
        writer.next_logprobs([[7] * 49], [3])


def test_logprobs_of_fewer_than_two_tokens_are_none_and_too_many_are_refused(engine):
    writer = engine()
    assert writer.logprobs([]) == writer.logprobs([7]) == []
    assert len(writer.logprobs([7] * 49)) == 48
    with pytest.raises(UserError, match=r"50 tokens .* context is 48"):
        writer.logprobs([7] * 50)
