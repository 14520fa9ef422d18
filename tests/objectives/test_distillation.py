"""The fused soft loss is the plain one; hints and relations vanish where both models agree."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from hanlin.config import DistilConfig, ModelConfig
from hanlin.errors import ModelError
from hanlin.models import Decoder, build_model, resolve_model
from hanlin.models.growth import grow, target_shape
from hanlin.models.taps import Tap, tapped_hidden
from hanlin.objectives import Bridges, Distillation, Loss, NextToken
from hanlin.objectives.hints import hint_distance, pair_layers, relation_divergence
from hanlin.objectives.next_token import TokenBatch
from hanlin.objectives.on_policy import write_on
from hanlin.objectives.soft_targets import (
    Mix,
    Predictions,
    fused_soft_cross_entropy,
    plain_soft_cross_entropy,
)

DIVERGENCES = ["forward", "reverse", "jensen-shannon"]


def _states(rows: int, width: int, seed: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    hidden = torch.randn(rows, width, generator=generator)
    return hidden, torch.randn(40, width, generator=generator) / 2


@settings(deadline=None, max_examples=40)
@given(
    rows=st.integers(1, 20),
    chunk=st.integers(1, 9),
    seed=st.integers(0, 500),
    divergence=st.sampled_from(DIVERGENCES),
    temperature=st.sampled_from([1.0, 0.7, 2.0]),
    confidence=st.sampled_from([0.0, 0.1]),
    teachers=st.integers(0, 3),
)
def test_loss_parts_and_gradients_equal_the_reference(
    rows, chunk, seed, divergence, temperature, confidence, teachers
):
    hidden, head = _states(rows, 16, seed)
    targets = torch.randint(40, (rows,), generator=torch.Generator().manual_seed(seed))
    weights = torch.rand(rows, generator=torch.Generator().manual_seed(seed)).round(decimals=1)
    taught = [Predictions(*_states(rows, 8 + n, seed + n + 1)) for n in range(teachers)]
    mix = Mix(0.6 if teachers else 0.0, temperature, divergence, confidence)
    for given_weights in (None, weights):
        leaves = hidden.clone().requires_grad_(), head.clone().requires_grad_()
        fused = fused_soft_cross_entropy(
            *leaves, targets, taught, mix, weights=given_weights, rows=chunk
        )
        plain = plain_soft_cross_entropy(*leaves, targets, taught, mix, weights=given_weights)
        torch.testing.assert_close(fused.total, plain.total, rtol=1e-5, atol=1e-4)
        torch.testing.assert_close(fused.parts, plain.parts, rtol=1e-5, atol=1e-4)
        ours = torch.autograd.grad(fused.total, leaves)
        theirs = torch.autograd.grad(plain.total, leaves)
        for mine, reference in zip(ours, theirs, strict=True):
            torch.testing.assert_close(mine, reference, rtol=1e-4, atol=2e-5)


@pytest.mark.parametrize("divergence", DIVERGENCES)
def test_a_student_that_agrees_with_its_teacher_has_nothing_to_learn(divergence):
    hidden, head = _states(7, 16, 1)
    hidden.requires_grad_()
    mix = Mix(soft=1.0, temperature=2.0, divergence=divergence)
    targets = torch.zeros(7, dtype=torch.long)
    taught = [Predictions(hidden.detach(), head)]
    loss = fused_soft_cross_entropy(hidden, head, targets, taught, mix)
    torch.testing.assert_close(loss.total, torch.zeros(()), atol=1e-4, rtol=0)
    (gradient,) = torch.autograd.grad(loss.total, hidden)
    torch.testing.assert_close(gradient, torch.zeros_like(gradient), atol=1e-5, rtol=0)


def test_an_ensemble_is_the_mean_of_probabilities_not_of_logits():
    head = torch.eye(3)
    first, second = torch.tensor([[9.0, 0.0, 0.0]]), torch.tensor([[0.0, 9.0, 0.0]])
    mean = (first.softmax(-1) + second.softmax(-1)) / 2
    student = torch.randn(1, 3, generator=torch.Generator().manual_seed(0))
    mix, target = Mix(soft=1.0), torch.tensor([0])
    both = [Predictions(first, head), Predictions(second, head)]
    together = fused_soft_cross_entropy(student, head, target, both, mix)
    alone = fused_soft_cross_entropy(student, head, target, [Predictions(mean.log(), head)], mix)
    torch.testing.assert_close(together.total, alone.total)


def test_logits_of_any_size_stay_finite():
    hidden, head = _states(5, 16, 3)
    for divergence in DIVERGENCES:
        taught = [Predictions(-1e4 * hidden, head)]
        student = (1e4 * hidden).requires_grad_()
        loss = fused_soft_cross_entropy(
            student, head, torch.zeros(5, dtype=torch.long), taught, Mix(0.5, 1.0, divergence, 0.1)
        )
        (gradient,) = torch.autograd.grad(loss.total, student)
        assert torch.isfinite(loss.total)
        assert torch.isfinite(gradient).all()


def test_bf16_is_close_to_fp32():
    hidden, head = _states(50, 16, 4)
    taught, targets = [Predictions(*_states(50, 8, 5))], torch.zeros(50, dtype=torch.long)
    mix = Mix(soft=0.5, temperature=2.0)
    wide = fused_soft_cross_entropy(hidden, head, targets, taught, mix)
    narrow = [Predictions(*(tensor.bfloat16() for tensor in taught[0]))]
    near = fused_soft_cross_entropy(hidden.bfloat16(), head.bfloat16(), targets, narrow, mix)
    assert near.total.dtype == torch.float32
    torch.testing.assert_close(near.total, wide.total, rtol=2e-2, atol=0.0)


def _model(*, seed: int = 1, **changes: object) -> Decoder:
    fields = {"hidden_size": 16, "num_heads": 2, "num_layers": 2, "context_length": 24}
    shape = resolve_model(ModelConfig(**{**fields, "zero_init": False, **changes}), 64)
    return build_model(shape, seed=seed)


def _rows() -> Tensor:
    return torch.randint(64, (3, 13), generator=torch.Generator().manual_seed(2))


def _loss(
    objective: Distillation, model: Decoder, rows: Tensor | None = None, progress: float = 0.0
) -> Loss:
    rows = _rows() if rows is None else rows
    return objective.loss(model, objective.prepare(rows, model, torch.Generator(), progress))


def _bridges(teacher: Decoder, student: Decoder, config: DistilConfig) -> Bridges:
    generator = torch.Generator().manual_seed(3)
    return Bridges(teacher.config, student.config, config, generator)


FULL = DistilConfig(soft=0.5, hint=0.3, relation=0.2, input=1.0, until_share=0.5)


def test_the_loss_is_the_sum_of_its_parts_by_their_weights():
    teacher, student = _model(seed=2, hidden_size=24, num_heads=4), _model()
    config = FULL.model_copy(update={"disagreement": 0.4, "confidence": 0.1, "temperature": 2.0})
    objective = Distillation([teacher], config, _bridges(teacher, student, config))
    loss = _loss(objective, student, progress=0.25)
    weights = {
        "cross_entropy": 0.75,
        "soft": 0.25,
        "hint": 0.15,
        "relation": 0.1,
        "disagreement": 0.4,
        "entropy": -0.1,
    }
    assert loss.parts.keys() == weights.keys()
    expected = sum(weight * float(loss.parts[name]) for name, weight in weights.items())
    assert float(loss.sum.detach()) == pytest.approx(expected, rel=1e-4)
    assert loss.weight == 36


def test_the_fused_objective_equals_the_plain_one():
    teacher, student = _model(seed=2), _model()
    bridges = _bridges(teacher, student, FULL)
    sums = [
        _loss(Distillation([teacher], FULL, bridges, fused=fused), student).sum
        for fused in (True, False)
    ]
    torch.testing.assert_close(sums[0], sums[1])


def test_the_cross_entropy_part_is_that_of_next_token_prediction():
    teacher, student = _model(seed=2), _model()
    objective = Distillation([teacher], DistilConfig(soft=0.5))
    text = NextToken().prepare(_rows(), student, torch.Generator())
    expected = NextToken().loss(student, text).sum
    torch.testing.assert_close(_loss(objective, student).parts["cross_entropy"], expected.detach())


class _Counting(Decoder):
    calls = 0

    def hidden(self, *arguments: object, **options: object) -> Tensor:
        self.calls += 1
        return super().hidden(*arguments, **options)


@pytest.mark.parametrize(("progress", "calls"), [(0.0, 1), (0.49, 1), (0.5, 0), (0.9, 0)])
def test_once_its_weights_are_zero_no_teacher_is_run(progress, calls):
    teacher, student = _Counting(_model().config), _model()
    teacher.load_state_dict(_model(seed=2).state_dict())
    config = DistilConfig(soft=0.5, until_share=0.5)
    loss = _loss(Distillation([teacher], config), student, progress=progress)
    assert teacher.calls == calls
    assert ("soft" in loss.parts) == bool(calls)
    if not calls:
        plain = NextToken().loss(student, NextToken().prepare(_rows(), student, torch.Generator()))
        assert torch.equal(loss.sum, plain.sum)


def test_a_constant_schedule_ends_at_its_share_and_a_linear_one_falls():
    constant = DistilConfig(schedule="constant", until_share=0.5)
    linear = DistilConfig(until_share=0.5)
    shares = [0.0, 0.25, 0.5, 0.75]
    assert [constant.share_at(share) for share in shares] == [1.0, 1.0, 0.0, 0.0]
    assert [linear.share_at(share) for share in shares] == [1.0, 0.5, 0.0, 0.0]


def test_ignored_tokens_count_for_nothing():
    teacher, student = _model(seed=2), _model()
    config = FULL.model_copy(update={"input": 0.0, "disagreement": 0.4})
    objective = Distillation([teacher], config, _bridges(teacher, student, config))
    padded = torch.cat((_rows(), torch.full((3, 4), -1)), dim=1)
    long, short = _loss(objective, student, padded), _loss(objective, student)
    torch.testing.assert_close(long.sum, short.sum)
    assert float(long.weight) == float(short.weight)


def test_hints_and_relations_of_a_grown_student_are_zero_at_first():
    teacher = _model(seed=2, num_kv_heads=1)
    shape = target_shape(ModelConfig(hidden_size=32, num_layers=4), teacher.config)
    student = grow(teacher, shape, generator=torch.Generator().manual_seed(1))
    config = DistilConfig(soft=1.0, hint=1.0)
    loss = _loss(Distillation([teacher], config, _bridges(teacher, student, config)), student)
    assert float(loss.parts["hint"]) == pytest.approx(0.0, abs=1e-3)
    assert float(loss.parts["soft"]) == pytest.approx(0.0, abs=1e-3)


def test_a_model_has_the_same_relations_as_itself():
    model = _model(num_kv_heads=1)
    tap = Tap(relations=frozenset({1}))
    tapped_hidden(model, _rows(), tap)
    values = tap.found["relations"][1]
    same = relation_divergence(values, values, model.config, model.config)
    torch.testing.assert_close(same, torch.zeros(3, 13), atol=1e-5, rtol=0)
    later = values.clone()
    later[:, 5] += 1
    changed = relation_divergence(values, later, model.config, model.config)
    assert torch.equal(changed[:, :5], same[:, :5])  # no token sees those after it
    assert (changed[:, 5:] > 1e-6).all()


def test_layers_are_paired_by_their_share_of_the_depth():
    deep, flat = ModelConfig(num_layers=12), ModelConfig(num_layers=4)
    assert pair_layers(deep, flat) == {0: 2, 1: 5, 2: 8, 3: 11}
    assert pair_layers(flat, deep) == {2: 0, 5: 1, 8: 2, 11: 3}


def test_streams_that_agree_are_no_distance_apart_whatever_their_scale():
    stream = torch.randn(2, 5, 8, generator=torch.Generator().manual_seed(0))
    distance = hint_distance({0: stream}, {0: 3 * stream}, None)
    torch.testing.assert_close(distance, torch.zeros(2, 5), atol=1e-5, rtol=0)


def test_the_teachers_states_come_in_through_the_gate_until_it_is_shut():
    teacher, student = _model(seed=2), _model()
    config = DistilConfig(soft=0.0, input=2.0, until_share=0.5)
    bridges = _bridges(teacher, student, config)
    objective = Distillation([teacher], config, bridges)
    alone = NextToken().loss(student, NextToken().prepare(_rows(), student, torch.Generator())).sum
    torch.testing.assert_close(_loss(objective, student).sum, alone)  # it begins at zero
    assert bridges.input is not None
    nn.init.normal_(bridges.input.weight, generator=torch.Generator().manual_seed(1))
    opened = _loss(objective, student)
    assert abs(float(opened.sum.detach() - alone.detach())) > 0.1
    opened.sum.backward()
    assert bridges.input.weight.grad is not None
    assert torch.equal(_loss(objective, student, progress=0.6).sum, alone)


def test_no_token_sees_the_future_through_the_gate():
    teacher, student = _model(seed=2), _model()
    config = DistilConfig(input=1.0)
    bridges = _bridges(teacher, student, config)
    assert bridges.input is not None
    nn.init.normal_(bridges.input.weight, generator=torch.Generator().manual_seed(1))
    objective = Distillation([teacher], config, bridges)
    rows, other = _rows(), _rows()
    other[:, -2] = (other[:, -2] + 1) % 64
    found = []
    for ids in (rows, other):
        lesson = objective.prepare(ids, student, torch.Generator(), 0.0)
        added = objective._input(lesson)
        found.append(tapped_hidden(student, lesson.text.inputs, Tap(), added=added))
    assert torch.equal(found[0][:, :-1], found[1][:, :-1])
    assert not torch.equal(found[0][:, -1], found[1][:, -1])


@pytest.mark.parametrize("family", ["qwen3", "gpt2"])
def test_a_tapped_pass_is_the_plain_pass_and_leaves_no_hook(family):
    model = _model(family=family).eval()
    ids = _rows()
    every = frozenset({0, 1})
    tap = Tap(streams=every, relations=every, heads=every)
    hidden = tapped_hidden(model, ids, tap)
    assert torch.equal(hidden, model.hidden(ids))
    assert torch.equal(model.norm(tap.found["streams"][1]), hidden)
    assert tap.found["relations"][0].shape == (3, 13, 48)
    assert tap.found["heads"][0].shape == (3, 13, 16)
    hooks = [m._forward_hooks or m._forward_pre_hooks for m in model.modules()]
    assert not any(hooks)


def _own_text(model: Decoder, rows: Tensor, seed: int = 4) -> TokenBatch:
    return write_on(model, rows, 5, torch.Generator().manual_seed(seed))


def test_the_student_writes_the_end_of_each_row_and_only_that_counts():
    model, rows = _model().train(), _rows()
    own = _own_text(model, rows)
    assert torch.equal(own.inputs[:, :8], rows[:, :8])
    assert torch.equal(own.inputs[:, 1:], own.targets[:, :-1])
    assert own.weights is not None
    assert torch.equal(own.weights, torch.tensor([[0.0] * 7 + [1.0] * 5]).expand(3, -1))
    assert torch.equal(_own_text(model, rows).targets, own.targets)
    assert not torch.equal(_own_text(model, rows, seed=5).targets, own.targets)
    assert model.training


def test_what_the_student_writes_follows_its_own_distribution():
    model = _model().eval()
    rows = _rows()[:1].expand(2000, -1)
    with torch.no_grad():
        expected = model(rows[:1, :8])[0, -1].softmax(-1)
    first = _own_text(model, rows).targets[:, 7]
    found = torch.bincount(first, minlength=64) / 2000
    assert (found - expected).abs().max() < 0.03


def test_a_row_that_is_padded_before_its_end_teaches_nothing():
    rows = _rows()
    rows[1, 6:] = -1
    own = _own_text(_model(), rows)
    assert own.weights is not None
    assert own.weights.sum(1).tolist() == [5.0, 0.0, 5.0]
    assert (own.inputs >= 0).all()


def test_own_text_is_judged_until_the_teachers_leave():
    teacher, student = _model(seed=2), _model()
    config = DistilConfig(soft=0.0, on_policy=0.5, on_policy_tokens=5, until_share=0.5)
    losses = [
        _loss(Distillation([teacher], config, fused=fused), student) for fused in (True, False)
    ]
    torch.testing.assert_close(losses[0].sum, losses[1].sum)
    parts = losses[0].parts
    expected = parts["cross_entropy"] + 0.5 * parts["on_policy"]
    torch.testing.assert_close(losses[0].sum.detach(), expected)
    assert "on_policy" not in _loss(Distillation([teacher], config), student, progress=0.5).parts
    itself = _loss(Distillation([_model()], config), student)
    assert float(itself.parts["on_policy"]) == pytest.approx(0.0, abs=1e-3)


def test_bridges_are_parameters_of_the_student_only_while_it_learns():
    teacher, student = _model(seed=2, hidden_size=24), _model()
    names = [name for name, _ in student.named_parameters()]
    bridges = _bridges(teacher, student, FULL)
    with bridges.attached(student):
        assert "bridges.input.weight" in dict(student.named_parameters())
        assert "bridges.hints.1.weight" in student.state_dict()
    assert [name for name, _ in student.named_parameters()] == names


def test_the_teacher_is_never_changed_and_gets_no_gradient():
    teacher, student = _model(seed=2), _model()
    objective = Distillation([teacher], FULL, _bridges(teacher, student, FULL))
    _loss(objective, student).sum.backward()
    assert all(parameter.grad is None for parameter in teacher.parameters())
    assert not teacher.training


def test_something_that_is_no_decoder_is_refused_by_name():
    with pytest.raises(ModelError, match="Sequential is none"):
        Distillation([], DistilConfig()).loss(
            nn.Sequential(), Distillation([], DistilConfig()).prepare(_rows(), _model(), None)
        )
