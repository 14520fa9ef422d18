"""Muon: momentum whose every matrix is replaced by the nearest semi-orthogonal one.

Jordan et al. 2024 (kellerjordan.github.io/posts/muon). Nesterov momentum gives a matrix G = U S V';
five Newton-Schulz steps with an odd quintic drive its singular values towards one, which gives
about U V'; the update is scaled by sqrt(max(1, rows / columns)), and weight decay is decoupled.
torch has a Muon too, which walks matrix by matrix and always in bf16; on a CPU without bf16 units
that is five times slower than fp32, and here equal shapes share one batched product.

    python -m hanlin.training.muon
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

__all__ = ["Muon", "iterate_directly", "iterate_on_gram", "orthogonalise"]

_QUINTIC = (3.4445, -4.7750, 2.0315)
_STEPS = 5


def orthogonalise(matrices: Tensor, dtype: torch.dtype = torch.float32) -> Tensor:
    """Return about U V' for each matrix U S V' of a stack (N, R, C), computed in `dtype`.

    The quintic is tuned for speed: singular values end between about 0.7 and 1.2, not at one.
    """
    wide = matrices.shape[-2] <= matrices.shape[-1]
    x = (matrices if wide else matrices.mT).to(dtype)  # (N, R, C) with R <= C
    x = x / x.flatten(1).norm(dim=1)[:, None, None].clamp_min(1e-7)
    # In products of R^3, with C = k R: 10 k + 5 for the plain form, 2 k + 17 on the Gram side.
    # A Gram matrix squares the condition, so only full fp32 goes that way: not bf16, nor the TF32
    # that a GPU may use for fp32 products.
    long = x.is_cpu and dtype == torch.float32 and x.shape[-1] >= 2 * x.shape[-2]
    x = iterate_on_gram(x) if long else iterate_directly(x)
    return (x if wide else x.mT).to(matrices.dtype)


def iterate_directly(x: Tensor) -> Tensor:
    """Return x (N, R, C) after the steps x <- (a + b G + c G^2) x with G = x x'."""
    a, b, c = _QUINTIC
    for _ in range(_STEPS):
        gram = torch.bmm(x, x.mT)  # (N, R, R)
        mixed = torch.baddbmm(gram, gram, gram, beta=b, alpha=c)
        x = torch.baddbmm(x, mixed, x, beta=a)
    return x


def iterate_on_gram(x: Tensor) -> Tensor:
    """Return the same from R x R products alone, but for the first and the last.

    A step multiplies x from the left by P = a + b G + c G^2, which commutes with G; so G becomes
    P G P, and the product of all P meets x once, at the end.
    """
    gram = torch.bmm(x, x.mT)  # (N, R, R)
    product = factor = _factor(gram)
    for _ in range(_STEPS - 1):
        gram = torch.bmm(torch.bmm(factor, gram), factor)
        factor = _factor(gram)
        product = torch.bmm(factor, product)
    return torch.bmm(product, x)


def _factor(gram: Tensor) -> Tensor:
    """Return a + b G + c G^2 of each Gram matrix (N, R, R)."""
    a, b, c = _QUINTIC
    factor = torch.baddbmm(gram, gram, gram, beta=b, alpha=c)
    factor.diagonal(dim1=-2, dim2=-1).add_(a)
    return factor


class Muon:
    """Muon over fp32 matrices; one that holds several (q, k and v, say) is taken apart by rows."""

    def __init__(
        self,
        matrices: dict[str, Tensor],
        *,
        fused_rows: dict[str, tuple[int, ...]],
        learning_rate: float,
        momentum: float,
        weight_decay: float,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        """Take matrices by name; `fused_rows` tells the rows of each that holds several."""
        self.learning_rate, self.momentum, self.weight_decay = learning_rate, momentum, weight_decay
        self._dtype = dtype
        self._matrices = matrices
        self._momenta = {name: torch.zeros_like(matrix) for name, matrix in matrices.items()}
        rows = {name: fused_rows.get(name, (matrix.shape[0],)) for name, matrix in matrices.items()}
        self._rows = rows

    @torch.no_grad()
    def step(self, share: float) -> None:
        """Update every matrix from its gradient, which is spent, at `share` of the peak rate."""
        if not self._matrices:
            return
        rate = self.learning_rate * share
        matrices, momenta = list(self._matrices.values()), list(self._momenta.values())
        gradients = [matrix.grad for matrix in matrices if matrix.grad is not None]
        assert len(gradients) == len(matrices), "every matrix has a gradient"
        torch._foreach_lerp_(momenta, gradients, 1 - self.momentum)
        torch._foreach_lerp_(gradients, momenta, self.momentum)  # Nesterov's look ahead
        if self.weight_decay:
            torch._foreach_mul_(matrices, 1 - rate * self.weight_decay)
        for targets, updates in self._stacks(gradients):
            shape = targets[0].shape
            scale = max(1.0, shape[0] / shape[1]) ** 0.5
            directions = orthogonalise(torch.stack(updates), self._dtype)
            torch._foreach_add_(targets, list(directions), alpha=-rate * scale)

    def state_dict(self) -> dict[str, Tensor]:
        """Return the momenta by name."""
        return {f"muon.{name}": momentum for name, momentum in self._momenta.items()}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Take back the momenta."""
        for name, momentum in self._momenta.items():
            momentum.copy_(state[f"muon.{name}"])

    def _stacks(self, gradients: Sequence[Tensor]) -> Iterable[tuple[list[Tensor], list[Tensor]]]:
        """Yield the single matrices and their updates, those of one shape together."""
        stacks: dict[torch.Size, tuple[list[Tensor], list[Tensor]]] = {}
        for (name, matrix), gradient in zip(self._matrices.items(), gradients, strict=True):
            rows = list(self._rows[name])
            pairs = zip(torch.split(matrix, rows), torch.split(gradient, rows), strict=True)
            for target, update in pairs:
                targets, updates = stacks.setdefault(target.shape, ([], []))
                targets.append(target)
                updates.append(update)
        return stacks.values()


if __name__ == "__main__":
    example = torch.randn(2, 64, 256, generator=torch.Generator().manual_seed(0))
    values = torch.linalg.svdvals(orthogonalise(example))
    print(f"singular values between {values.min():.2f} and {values.max():.2f}")
