"""Muon's update is orthogonal, in batches as one by one."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hanlin.training import Muon, orthogonalise
from hanlin.training.muon import iterate_directly, iterate_on_gram


def _muon(matrices: dict[str, torch.Tensor], **changes: object) -> Muon:
    plain: dict[str, object] = {
        "fused_rows": {},
        "learning_rate": 0.1,
        "momentum": 0.0,
        "weight_decay": 0.0,
    }
    return Muon(matrices, **(plain | changes))  # type: ignore[arg-type]


def _matrix(rows: int, columns: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(rows, columns, generator=torch.Generator().manual_seed(seed))


@settings(deadline=None, max_examples=30)
@given(rows=st.integers(2, 40), columns=st.integers(2, 40), seed=st.integers(0, 99))
def test_singular_values_end_near_one_where_they_were_not_tiny(
    rows: int, columns: int, seed: int
) -> None:
    matrix = _matrix(rows, columns, seed)
    left, values, right = torch.linalg.svd(matrix, full_matrices=False)
    matrix = left @ torch.diag(values.clamp_min(0.05 * values.norm())) @ right
    after = torch.linalg.svdvals(orthogonalise(matrix[None])[0])
    assert after.min() > 0.6
    assert after.max() < 1.3


def test_directions_are_kept() -> None:
    matrix = _matrix(8, 32)
    left, _, right = torch.linalg.svd(matrix, full_matrices=False)
    turned = left.T @ orthogonalise(matrix[None])[0] @ right.T
    off_diagonal = turned - torch.diag(turned.diagonal())
    assert off_diagonal.abs().max() < 1e-3


def test_a_stack_is_treated_matrix_by_matrix() -> None:
    stack = torch.stack([_matrix(6, 4, seed) for seed in range(3)])
    single = torch.stack([orthogonalise(matrix[None])[0] for matrix in stack])
    torch.testing.assert_close(orthogonalise(stack), single, rtol=1e-4, atol=1e-5)


def test_a_zero_gradient_moves_nothing() -> None:
    assert orthogonalise(torch.zeros(1, 4, 4)).abs().max() == 0


def test_matrices_in_one_parameter_are_orthogonalised_apart() -> None:
    fused, gradient = torch.zeros(12, 4), _matrix(12, 4)
    fused.grad = gradient.clone()
    _muon({"qkv": fused}, fused_rows={"qkv": (4, 4, 4)}).step(1.0)
    for update, part in zip(fused.split(4), gradient.split(4), strict=True):
        torch.testing.assert_close(
            update, -0.1 * orthogonalise(part[None])[0], rtol=1e-4, atol=1e-6
        )


def test_tall_matrices_move_further() -> None:
    tall, gradient = torch.zeros(16, 4), _matrix(16, 4)
    tall.grad = gradient.clone()
    _muon({"up": tall}).step(0.5)
    expected = -0.05 * 2 * orthogonalise(gradient[None])[0]
    torch.testing.assert_close(tall, expected, rtol=1e-4, atol=1e-6)


def test_weight_decay_does_not_depend_on_the_gradient() -> None:
    matrix = torch.ones(3, 3)
    matrix.grad = torch.zeros(3, 3)
    _muon({"m": matrix}, weight_decay=0.2).step(1.0)
    torch.testing.assert_close(matrix, torch.full((3, 3), 0.98))


def test_momentum_is_nesterovs() -> None:
    matrix, first, second = torch.zeros(4, 4), _matrix(4, 4, 1), _matrix(4, 4, 2)
    muon = _muon({"m": matrix}, momentum=0.9)
    matrix.grad = first.clone()
    muon.step(1.0)
    matrix.zero_()
    matrix.grad = second.clone()
    muon.step(1.0)
    momentum = 0.9 * 0.1 * first + 0.1 * second
    expected = orthogonalise((0.9 * momentum + 0.1 * second)[None])[0]
    torch.testing.assert_close(matrix, -0.1 * expected, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("momentum", [0.0, 0.95])
def test_it_agrees_with_torch_up_to_bf16(momentum: float) -> None:
    start, gradients = _matrix(8, 8), [_matrix(8, 8, seed) for seed in (1, 2, 3)]
    ours, theirs = start.clone(), torch.nn.Parameter(start.clone())
    muon = _muon({"m": ours}, momentum=momentum, weight_decay=0.1, dtype=torch.bfloat16)
    reference = torch.optim.Muon([theirs], lr=0.1, momentum=momentum, weight_decay=0.1)
    for gradient in gradients:
        ours.grad, theirs.grad = gradient.clone(), gradient.clone()
        muon.step(1.0)
        reference.step()
    torch.testing.assert_close(ours, theirs.detach(), rtol=0.0, atol=0.03)


@pytest.mark.parametrize("floor", [1.0, 1e-3, 1e-6, 0.0])
@pytest.mark.parametrize("shape", [(3, 16, 32), (2, 24, 96)])
def test_the_gram_side_is_as_exact_as_the_plain_form(
    shape: tuple[int, int, int], floor: float
) -> None:
    stack = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    stack[:, : shape[1] // 2] *= floor  # half of the singular values are tiny, or none
    stack /= stack.flatten(1).norm(dim=1)[:, None, None]
    exact = iterate_directly(stack.double()).float()
    torch.testing.assert_close(iterate_directly(stack), exact, rtol=0, atol=1e-5)
    torch.testing.assert_close(iterate_on_gram(stack), exact, rtol=0, atol=1e-5)


@pytest.mark.parametrize("shape", [(2, 16, 40), (2, 40, 16)])
def test_long_matrices_of_either_orientation_equal_the_reference(
    shape: tuple[int, int, int],
) -> None:
    stack = torch.randn(shape, generator=torch.Generator().manual_seed(1))
    unit = stack / stack.flatten(1).norm(dim=1)[:, None, None]
    lying = unit if shape[1] < shape[2] else unit.mT
    expected = iterate_directly(lying)
    expected = expected if shape[1] < shape[2] else expected.mT
    torch.testing.assert_close(orthogonalise(stack), expected, rtol=0, atol=1e-5)
