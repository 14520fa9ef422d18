"""Speculative decoding writes what the model alone would, in fewer passes."""

from __future__ import annotations

import pytest
import torch

from hanlin.config import ModelConfig, SamplingConfig
from hanlin.errors import TokenizerError, UserError
from hanlin.generation import Engine, LookupProposer, ModelProposer, Speculation, speculative
from hanlin.generation.speculative import judge
from hanlin.models import build_model, resolve_model

GREEDY = SamplingConfig(temperature=0, max_tokens=24)
WARM = SamplingConfig(temperature=1.0, max_tokens=24, seed=5)
PROMPTS = ["从前", "a", "", "abcabcabc"]
FAMILIES = [("gpt2", "dense"), ("qwen3", "dense"), ("qwen3", "banded")]
MODEL = torch.tensor([0.5, 0.3, 0.15, 0.05], dtype=torch.float64)
SOURCE = torch.tensor([0.1, 0.2, 0.3, 0.4], dtype=torch.float64)
LIMIT_3 = 16.3
"""What 0.1 % of fair draws exceed at three degrees of freedom."""


def chi_square(counts: torch.Tensor, shares: torch.Tensor) -> float:
    expected = counts.sum() * shares
    return float(((counts - expected).square() / expected).sum())


def judged(choose, draws: int = 20_000) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    offered = torch.multinomial(SOURCE, draws, replacement=True, generator=generator).tolist()
    chance = torch.rand(draws, 2, generator=generator, dtype=torch.float64).tolist()
    ids = [
        choose(MODEL, SOURCE, token, *numbers)
        for token, numbers in zip(offered, chance, strict=True)
    ]
    return torch.tensor(ids).bincount(minlength=4)


def redraw_from_the_model(model, source, offered, keep, redraw):
    """Judge wrongly: what is not kept is drawn from the model, not from what remains of it."""
    if keep * float(source[offered]) < float(model[offered]):
        return offered
    return judge(model, None, None, keep, redraw)


def test_judged_proposals_have_the_distribution_of_the_model():
    assert chi_square(judged(judge), MODEL) < LIMIT_3


def test_a_wrong_rule_of_judging_would_be_found():
    assert chi_square(judged(redraw_from_the_model), MODEL) > 10 * LIMIT_3


@pytest.mark.parametrize(("family", "attention"), FAMILIES)
def test_greedy_text_with_a_draft_equals_that_of_the_model_alone(engine, family, attention):
    target = engine(family, attention=attention, band_width=6)
    draft = engine(family, seed=2, num_layers=1)
    for prompt in PROMPTS:
        speculation = Speculation(ModelProposer(draft, target, sureness=0), tokens=3)
        assert target.generate(prompt, GREEDY, speculation) == target.generate(prompt, GREEDY)
        assert 0 <= speculation.accepted <= speculation.proposed


@pytest.mark.parametrize("sampling", [GREEDY, WARM])
def test_looked_up_text_is_the_very_text_of_the_seed(engine, sampling):
    target = engine()
    for prompt in PROMPTS:
        speculation = Speculation(LookupProposer(shortest=1))
        assert target.generate(prompt, sampling, speculation) == target.generate(prompt, sampling)


def test_a_model_that_drafts_for_itself_is_always_right(engine):
    target = engine()
    speculation = Speculation(ModelProposer(target, target, sureness=0), tokens=3)
    written = target.generate("从前", GREEDY, speculation)
    assert speculation.acceptance == 1 and speculation.written >= len(written.ids)
    assert speculation.tokens_per_pass > 3


def test_rules_and_stop_strings_hold_under_proposals(engine):
    target, draft = engine(), engine(seed=2, num_layers=1)
    alone = target.generate("a", GREEDY)
    changes = {"repetition_penalty": 1.3, "no_repeat_ngram": 2, "stop": (alone.text[5],)}
    sampling = GREEDY.model_copy(update=changes)
    found = target.generate("a", sampling, Speculation(ModelProposer(draft, target, sureness=0)))
    assert found == target.generate("a", sampling)


def test_a_stream_under_proposals_is_the_generated_text(engine):
    target = engine()
    pieces = target.stream("从前", WARM, Speculation(LookupProposer(shortest=1)))
    assert "".join(pieces) == target.generate("从前", WARM).text


def test_a_draft_with_a_shorter_context_stops_proposing(engine):
    target = engine(context_length=48)
    draft = engine(context_length=16, seed=1)
    speculation = Speculation(ModelProposer(draft, target, sureness=0))
    sampling = GREEDY.model_copy(update={"max_tokens": 40})
    assert target.generate("a", sampling, speculation) == target.generate("a", sampling)
    assert speculation.proposed < 16


def test_an_unsure_draft_proposes_nothing_and_the_text_stays(engine):
    target, draft = engine(), engine(seed=2, num_layers=1)
    speculation = Speculation(ModelProposer(draft, target, sureness=1.0))
    assert target.generate("a", GREEDY, speculation) == target.generate("a", GREEDY)
    assert speculation.proposed == 0 and speculation.tokens_per_pass == 1


def test_a_draft_with_another_tokenizer_is_refused(engine):
    target, draft = engine(), engine()
    draft.tokenizer = type(draft.tokenizer)()
    draft.tokenizer.fingerprint = "another"
    with pytest.raises(TokenizerError, match="another tokenizer"):
        ModelProposer(draft, target)


def test_what_does_not_go_with_proposals_is_refused(engine):
    for changes in ({"guidance": 2.0}, {"logprobs": 1}, {"best_of": 2}):
        with pytest.raises(UserError, match="Leave out"):
            engine().generate("a", GREEDY.model_copy(update=changes), Speculation())


class FourTokens:
    """An end and three letters."""

    kind = "letters"
    control = {"<|endoftext|>": 0}  # noqa: RUF012
    eot_id = 0
    vocab_size = 4
    fingerprint = "four"

    def encode(self, text: str) -> list[int]:
        return [" abc".index(letter) for letter in text]

    def token_bytes(self, id: int) -> bytes:
        return b" abc"[id : id + 1]


def small_engine(seed: int, sharpness: float) -> Engine:
    shape = {"context_length": 8, "hidden_size": 16, "num_layers": 1, "num_heads": 2}
    model = build_model(resolve_model(ModelConfig(family="gpt2", **shape), 4), seed=seed)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        model.embedding.weight[:4] = torch.randn(4, 16, generator=generator) * sharpness
    return Engine(model, FourTokens())


def two_tokens(target: Engine, draft: Engine, draws: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return how often each pair was written, and how likely each is; an end ends a pair."""
    counts = torch.zeros(13)
    for seed in range(draws):
        sampling = SamplingConfig(temperature=0.9, top_p=1, max_tokens=2, seed=seed)
        speculation = Speculation(ModelProposer(draft, target, sureness=0), tokens=2)
        ids = target.generate([1], sampling, speculation).ids
        counts[0 if not ids else 1 + 4 * (ids[0] - 1) + (ids[1] if len(ids) > 1 else 0)] += 1
    with torch.inference_mode():
        first = (target.model(torch.tensor([[1]]))[0, -1, :4] / 0.9).softmax(-1)
        rows = torch.tensor([[1, token] for token in (1, 2, 3)])
        second = (target.model(rows)[:, -1, :4] / 0.9).softmax(-1)
    return counts, torch.cat([first[:1], (first[1:, None] * second).flatten()])


@pytest.mark.parametrize("is_wrong", [False, True])
def test_whole_sampled_texts_have_the_distribution_of_the_model(monkeypatch, is_wrong):
    if is_wrong:
        monkeypatch.setattr(
            speculative,
            "judge",
            lambda model, source, offered, keep, redraw: (
                judge(model, None, None, keep, redraw)
                if source is None
                else redraw_from_the_model(model, source, offered, keep, redraw)
            ),
        )
    counts, shares = two_tokens(small_engine(1, 0.05), small_engine(2, 0.3), draws=600)
    assert (chi_square(counts, shares) > 32.9) == is_wrong  # 0.1 % at twelve degrees of freedom
