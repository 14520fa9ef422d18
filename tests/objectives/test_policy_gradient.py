"""What is rewarded becomes likelier, and chance is no reward."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from hanlin.config import SamplingConfig
from hanlin.generation import Engine
from hanlin.models import Decoder
from hanlin.objectives import Critic, LanguageMixture
from hanlin.objectives.continuations import choose_prefixes, continue_prefixes
from hanlin.objectives.policy_gradient import (
    divergence,
    leave_one_out,
    minimum_risk,
    reinforce,
    self_critical,
)
from hanlin.objectives.replacement_walk import walk, walk_reference
from hanlin.objectives.token_scores import plain_token_scores, token_scores
from hanlin.tokenizers import Tokenizer

Maker = Callable[..., LanguageMixture]
_ALONE = {"token_unlikelihood": 0, "sequence_unlikelihood": 0}


def _train(
    objective: LanguageMixture, model: Decoder, rows: Tensor, *, steps: int, rate: float = 0.01
) -> None:
    optimizer = torch.optim.Adam(model.parameters(), lr=rate)
    model.train()
    for step in range(steps):
        chance = torch.Generator().manual_seed(step)
        loss = objective.loss(model, objective.prepare(rows, model, chance))
        optimizer.zero_grad()
        (loss.sum / float(loss.weight)).backward()  # type: ignore[no-untyped-call]
        optimizer.step()


@torch.no_grad()
def _chance_of(model: Decoder, rows: Tensor, token: int) -> float:
    return float(model(rows[:, :-1]).softmax(-1)[:, :, token].mean())


def test_advantages_leave_each_continuation_out_of_its_own_baseline() -> None:
    rewards = torch.tensor([[1.0, 2.0, 6.0], [0.1, 0.1, 0.1]])
    assert leave_one_out(rewards).tolist() == [[-3.0, -1.5, 4.5], [0.0, 0.0, 0.0]]
    against = self_critical(rewards, torch.tensor([2.0, 0.1]))
    assert against.tolist() == [[-1.0, 0.0, 4.0], [0.0, 0.0, 0.0]]


def test_groups_without_variance_do_not_thin_the_others() -> None:
    logprobs = torch.full((2, 2, 4), -1.0)
    credit = leave_one_out(torch.tensor([[0.0, 1.0], [1.0, 1.0]]))[:, :, None].expand(-1, -1, 4)
    written = torch.tensor([1.0, 1.0, 0.0, 0.0])
    both = reinforce(logprobs, credit * written)
    assert both == reinforce(logprobs[:1], credit[:1] * written)


def test_a_long_continuation_weighs_more_than_a_short_one() -> None:
    logprobs = torch.zeros(1, 2, 4, requires_grad=True)
    credit = torch.tensor([[[1.0, 1.0, 1.0, 1.0], [-1.0, 0.0, 0.0, 0.0]]])
    reinforce(logprobs, credit).backward()  # type: ignore[no-untyped-call]
    assert logprobs.grad is not None
    assert logprobs.grad[0, 0].tolist() == [-1 / 8] * 4
    assert logprobs.grad[0, 1].tolist() == [1 / 8, 0, 0, 0]


def test_minimum_risk_moves_probability_to_the_better_continuation() -> None:
    logprobs = torch.zeros(1, 2, 3, requires_grad=True)
    loss = minimum_risk(logprobs, torch.ones(1, 2, 3), torch.tensor([[0.0, 1.0]]), 0.1)
    loss.backward()  # type: ignore[no-untyped-call]
    assert logprobs.grad is not None
    assert bool((logprobs.grad[0, 0] > 0).all()) and bool((logprobs.grad[0, 1] < 0).all())


def test_the_divergence_is_an_unbiased_estimate_that_is_never_negative() -> None:
    chance = torch.Generator().manual_seed(1)
    ours, theirs = (torch.randn(5, generator=chance).log_softmax(0) for _ in range(2))
    drawn = torch.multinomial(ours.exp(), 200_000, replacement=True, generator=chance)
    found = divergence(ours[drawn], theirs[drawn], torch.ones(len(drawn)))
    expected = (ours.exp() * (ours - theirs)).sum()
    assert found.item() == pytest.approx(expected.item(), rel=0.03)
    everywhere = torch.ones(5)
    assert all(divergence(ours[i], theirs[i], everywhere[i]) >= 0 for i in range(5))


def test_token_scores_in_chunks_are_the_plain_ones() -> None:
    chance = torch.Generator().manual_seed(1)
    hidden = torch.randn(11, 6, generator=chance, requires_grad=True)
    head = torch.randn(9, 6, generator=chance, requires_grad=True)
    ids = torch.randint(9, (11,), generator=chance)
    found, plain = token_scores(hidden, head, ids, rows=4), plain_token_scores(hidden, head, ids)
    weights = torch.rand(11, generator=chance)
    for ours, theirs in zip(found, plain, strict=True):
        torch.testing.assert_close(ours, theirs)
    for ours, theirs in zip(
        torch.autograd.grad(found[0] @ weights, (hidden, head)),
        torch.autograd.grad(plain[0] @ weights, (hidden, head)),
        strict=True,
    ):
        torch.testing.assert_close(ours, theirs)


def test_greedy_continuations_are_those_of_the_engine(
    decoder: Decoder, letters: Tokenizer, rows: Tensor
) -> None:
    decoder.train()
    found = _continue(decoder, letters, rows[:, :6], draws=2, greedy=True)
    assert decoder.training
    engine = Engine(copy.deepcopy(decoder), letters)
    greedy = SamplingConfig(temperature=0, max_tokens=8)
    expected = engine.generate_batch(rows[:, :6].tolist(), greedy)
    for ids, completion in zip(found.ids.view(8, 3, 8)[:, 2].tolist(), expected, strict=True):
        assert ids[: len(completion.ids)] == completion.ids


def test_continuations_follow_from_the_generator_and_from_the_models_own_chances(
    decoder: Decoder, letters: Tokenizer, rows: Tensor
) -> None:
    prefix = rows[:1, :6]
    one, other = (_continue(decoder, letters, prefix, draws=4000) for _ in range(2))
    assert torch.equal(one.ids, other.ids)
    shares = one.ids[:, 0].bincount(minlength=letters.vocab_size) / 4000
    expected = decoder(prefix)[0, -1].detach().softmax(-1)
    assert float((shares - expected).abs().max()) < 0.03


def _continue(
    model: Decoder, letters: Tokenizer, prefixes: Tensor, *, draws: int, greedy: bool = False
) -> Any:
    return continue_prefixes(
        model,
        prefixes,
        draws=draws,
        greedy=greedy,
        new_tokens=8,
        vocab_size=letters.vocab_size,
        eot_id=letters.eot_id,
        generator=torch.Generator().manual_seed(5),
    )


def test_prefixes_are_stretches_of_the_batch_with_what_follows_them() -> None:
    batch = torch.tensor([[*range(1, 13)], [5, 6, 7, 8, 0, 9, *[-1] * 6], [1, 2, *[-1] * 10]])
    found = choose_prefixes(batch, 1.0, 3, 4, 0, torch.Generator().manual_seed(1))
    assert found is not None and len(found.ids) == 2  # the last row is too short
    for prefix, ids, written, ended in zip(
        found.ids.tolist(),
        found.truth.ids.tolist(),
        found.truth.written.tolist(),
        found.truth.ended.tolist(),
        strict=True,
    ):
        joined = prefix + [i for i, there in zip(ids, written, strict=True) if there]
        if ended:
            assert joined == [5, 6, 7, 8, 0]
        else:
            assert joined == [*range(joined[0], joined[0] + 7)]


@pytest.mark.parametrize("variant", ["rloo", "self_critical", "minimum_risk"])
def test_a_rewarded_token_becomes_likelier(
    mixture: Maker, decoder: Decoder, rows: Tensor, favourite: Any, variant: str
) -> None:
    objective = mixture(
        rewards=[favourite],
        weights={"favourite": 1.0},
        policy=1.0,
        variant=variant,
        risk_sharpness=0.1,
        **_ALONE,
    )
    before = _chance_of(decoder, rows, favourite.token)
    _train(objective, decoder, rows, steps=25)
    assert _chance_of(decoder, rows, favourite.token) > 3 * before


def test_a_random_reward_raises_nothing(
    mixture: Maker, decoder: Decoder, rows: Tensor, favourite: Any
) -> None:
    objective = mixture(weights={"random": 1.0}, policy=1.0, **_ALONE)
    before = _chance_of(decoder, rows, favourite.token)
    _train(objective, decoder, rows, steps=25)
    assert _chance_of(decoder, rows, favourite.token) < 2 * before


def test_a_constant_reward_changes_no_weight(
    mixture: Maker, decoder: Decoder, rows: Tensor
) -> None:
    objective = mixture(weights={"constant": 1.0}, policy=1.0, **_ALONE)
    before = copy.deepcopy(decoder.state_dict())
    _train(objective, decoder, rows, steps=2)
    assert all(torch.equal(before[n], w) for n, w in decoder.state_dict().items())


def test_a_divergence_holds_the_model_near_its_reference(
    mixture: Maker, decoder: Decoder, rows: Tensor, favourite: Any
) -> None:
    reference = copy.deepcopy(decoder).eval()
    free, held = copy.deepcopy(decoder), copy.deepcopy(decoder)
    for model, kl in ((free, 0.0), (held, 1.0)):
        objective = mixture(
            rewards=[favourite],
            weights={"favourite": 1.0},
            policy=1.0,
            kl=kl,
            reference=reference,
            **_ALONE,
        )
        _train(objective, model, rows, steps=15)
    token = favourite.token
    start, end = _chance_of(reference, rows, token), _chance_of(free, rows, token)
    assert start < _chance_of(held, rows, token) < end


def test_the_walk_with_a_cache_is_the_walk_without(decoder: Decoder, rows: Tensor) -> None:
    written = torch.ones(8, 9, dtype=torch.bool)
    written[3, 5:] = False
    chance = torch.rand(8, 9, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    decoder.train()
    found = walk(decoder, rows[:, :6], rows[:, 6:15], written, chance)
    expected = walk_reference(decoder, rows[:, :6], rows[:, 6:15], written, chance)
    assert decoder.training
    assert torch.equal(found.ids, expected.ids)
    assert torch.equal(found.kept, expected.kept)
    torch.testing.assert_close(found.gain, expected.gain, rtol=1e-3, atol=1e-4)
    assert bool((found.gain >= 0).all()) and bool(found.kept.any())
    assert not bool(found.kept[3, 5:].any())


def test_what_the_walk_kept_becomes_likelier(
    mixture: Maker, decoder: Decoder, rows: Tensor
) -> None:
    objective = mixture(policy=1.0, variant="walk", sequence_unlikelihood=0, token_unlikelihood=0)
    own = objective.prepare(rows, decoder, torch.Generator().manual_seed(0)).own
    assert own is not None and own.credit is not None
    before = objective._own_scores(decoder, own)[0][:, :1][own.credit > 0].mean()
    _train(objective, decoder, rows, steps=5)
    after = objective._own_scores(decoder, own)[0][:, :1][own.credit > 0].mean()
    assert after > before


def test_the_greedy_text_loses_what_it_repeats(
    mixture: Maker, decoder: Decoder, rows: Tensor
) -> None:
    objective = mixture(sequence_unlikelihood=1.0, token_unlikelihood=0, ngram=2)
    before = objective.prepare(rows, decoder, torch.Generator()).own
    _train(objective, decoder, rows, steps=25)
    after = objective.prepare(rows, decoder, torch.Generator()).own
    assert before is not None and after is not None
    assert float(before.repeated.sum()) > 2 * float(after.repeated.sum()) + 5


def test_earlier_tokens_lose_probability(
    mixture: Maker, decoder: Decoder, letters: Tokenizer
) -> None:
    ids = torch.tensor(letters.encode("猫狗鸟花园看"))
    rows = ids[torch.randint(6, (8, 25), generator=torch.Generator().manual_seed(4))]
    models = [copy.deepcopy(decoder) for _ in range(2)]
    found = []
    for model, weight in zip(models, (0.0, 2.0), strict=True):
        settings = {"sequence_unlikelihood": 0, "window": 4}
        _train(mixture(token_unlikelihood=weight, **settings), model, rows, steps=30)
        judge = mixture(token_unlikelihood=1.0, **settings)
        loss = judge.loss(model, judge.prepare(rows, model, torch.Generator()))
        found.append(float(loss.parts["token_unlikelihood"] / loss.weight))
    assert found[1] < 0.85 * found[0]


def test_overused_tokens_are_told_from_human_frequency(mixture: Maker, letters: Tokenizer) -> None:
    overuse = mixture().writer.overuse
    assert not bool(overuse.weights().any())
    cat, comma = letters.encode("猫")[0], letters.encode("。")[0]
    overuse.add(overuse.count(torch.tensor([cat] * 3000)))
    beta = overuse.weights()
    assert beta[cat] > 1 and beta[comma] == 0


def test_without_any_term_the_loss_and_gradient_are_next_tokens(
    mixture: Maker, decoder: Decoder, rows: Tensor
) -> None:
    from hanlin.objectives import NextToken

    gradients: list[list[Tensor]] = []
    for objective in (mixture(**_ALONE), NextToken()):
        decoder.zero_grad()
        loss = objective.loss(decoder, objective.prepare(rows, decoder, torch.Generator()))
        loss.sum.backward()  # type: ignore[no-untyped-call]
        gradients.append([p.grad.clone() for p in decoder.parameters() if p.grad is not None])
        assert loss.sum.item() == pytest.approx(
            nn.functional.cross_entropy(
                decoder(rows[:, :-1]).flatten(0, 1), rows[:, 1:].flatten(), reduction="sum"
            ).item()
        )
    for ours, theirs in zip(*gradients, strict=True):
        torch.testing.assert_close(ours, theirs)


def test_a_resumed_objective_goes_on_as_if_it_had_not_stopped(
    mixture: Maker, decoder: Decoder, rows: Tensor, favourite: Any
) -> None:
    def build() -> LanguageMixture:
        return mixture(
            rewards=[favourite],
            weights={"favourite": 1.0, "random": 0.1},
            policy=0.5,
            overuse=0.1,
            batch_share=0.5,
            critic=Critic(16, rate=1e-3, steps=1, seed=1),
        )

    whole, first, second = build(), build(), build()
    models = [copy.deepcopy(decoder) for _ in range(2)]
    _train(whole, models[0], rows, steps=3, rate=0.0)
    _train(first, models[1], rows, steps=3, rate=0.0)
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    losses = [
        objective.loss(model, objective.prepare(rows, model, torch.Generator().manual_seed(9)))
        for objective, model in zip((whole, second), models, strict=True)
    ]
    assert losses[0].parts.keys() == losses[1].parts.keys()
    for name, part in losses[0].parts.items():
        assert torch.equal(part, losses[1].parts[name]), name
    ours, theirs = whole.state_dict(), second.state_dict()
    for name in ours.keys() - {"seconds"}:
        same = torch.equal if isinstance(ours[name], Tensor) else lambda a, b: a == b
        assert same(ours[name], theirs[name]), name


@pytest.mark.parametrize(
    "settings", [{"decoding": "sampled"}, {"decoding": "greedy"}, {"policy": 0.5}]
)
def test_penalties_look_at_the_text_that_the_settings_name_and_spare_the_exempt(
    mixture: Maker, decoder: Decoder, rows: Tensor, favourite: Any, settings: dict[str, Any]
) -> None:
    plain = {"rewards": [favourite], "weights": {"favourite": 1.0}, "ngram": 1, "group": 2}
    own = mixture(**plain, **settings).prepare(rows, decoder, torch.Generator()).own
    assert own is not None
    written = own.written[:, -1]  # of the drawn text too, the last is what is judged
    assert own.judged == int(written.sum())
    assert bool(own.repeated[:, -1].any()) and not bool(own.repeated[:, :-1].any())
    exempt = torch.zeros(decoder.config.vocab_size)
    spared = mixture(**plain, **settings, allowed=exempt).prepare(rows, decoder, torch.Generator())
    assert spared.own is not None and not bool(spared.own.repeated.any())
