"""Three small operations of the decoder, each with a plain reference and a lean version for CPUs.

On a CPU an elementwise pass over the activations costs as much as reading and writing memory does,
and autograd adds passes of its own. The lean versions have the same values with fewer passes:

- `rms_norm` (Zhang and Sennrich 2019, arXiv 1910.07467) borrows the fused LayerNorm kernels. With
  the mean m and variance v of a row, mean(x^2) = v + m^2. The backward pass of LayerNorm with the
  mean set to zero gives that of RMSNorm less the row's constant r mean(g w), which is added back.
- `rotate` (rotary positions, Su et al. 2021, arXiv 2104.09864) turns pairs (x_i, x_{i + D/2}) by
  the position's angle; its backward pass is the turn by the opposite angle and saves nothing.
- `swiglu` (Shazeer 2020, arXiv 2002.05202) saves only its input, and writes both halves of the
  gradient into one buffer.

Without gradients, the plain forms cost less, since autograd's wrapping is most of a short step.

Shapes: B batch, T time, C channels, H heads, D head dim, F width of the MLP.

    python -m hanlin.models.fused
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

__all__ = [
    "rms_norm",
    "rms_norm_reference",
    "rotate",
    "rotate_reference",
    "swiglu",
    "swiglu_reference",
]


def rms_norm_reference(x: Tensor, weight: Tensor, eps: float) -> Tensor:
    """Return x / sqrt(mean(x^2) + eps) * weight over the last dimension, taken in fp32."""
    wide = x.float()
    scale = torch.rsqrt(wide.square().mean(-1, keepdim=True) + eps)
    return (wide * scale * weight.float()).to(x.dtype)


def rms_norm(x: Tensor, weight: Tensor, eps: float) -> Tensor:
    """Return x / sqrt(mean(x^2) + eps) * weight over the last dimension."""
    if x.is_cpu and torch.is_grad_enabled():
        return _RmsNorm.apply(x, weight, eps)  # type: ignore[no-untyped-call,no-any-return]
    return F.rms_norm(x, x.shape[-1:], weight, eps)


def rotate_reference(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Turn the halves of x (B, T, H, D) by angles whose cosine and sine are (..., T, 1, D/2)."""
    first, second = x.chunk(2, dim=-1)
    return torch.cat((first * cos - second * sin, second * cos + first * sin), dim=-1)


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Turn the halves of x (B, T, H, D) by angles whose cosine and sine are (..., T, 1, D/2)."""
    if torch.is_grad_enabled():
        return _Rotate.apply(x, cos, sin)  # type: ignore[no-untyped-call,no-any-return]
    return rotate_reference(x, cos, sin)


def swiglu_reference(gate_up: Tensor) -> Tensor:
    """Return silu(gate) * up for the two halves of the last dimension: (..., 2F) -> (..., F)."""
    gate, up = gate_up.chunk(2, dim=-1)
    return F.silu(gate) * up


def swiglu(gate_up: Tensor) -> Tensor:
    """Return silu(gate) * up for the two halves of the last dimension: (..., 2F) -> (..., F)."""
    if torch.is_grad_enabled():
        return _SwiGLU.apply(gate_up)  # type: ignore[no-untyped-call,no-any-return]
    return swiglu_reference(gate_up)


class _RmsNorm(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, eps: float) -> Tensor:
        wide = weight.float()  # fp32 weights make the kernel keep fp32 moments for bf16 rows too
        _, mean, rstd = torch.native_layer_norm(x, x.shape[-1:], wide, None, 1e-30)
        scale = torch.addcmul(rstd.square_().reciprocal_(), mean, mean).add_(eps).rsqrt_()
        ctx.save_for_backward(x, weight, scale)
        return (x * scale).mul_(weight).to(x.dtype)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor, None]:
        grad = grads[0]
        x, weight, scale = ctx.saved_tensors
        dx, dw, _ = torch.ops.aten.native_layer_norm_backward(
            grad,
            x,
            x.shape[-1:],
            torch.zeros_like(scale),
            scale,
            weight.float(),
            None,
            [True, True, False],
        )
        constant = (grad @ weight).unsqueeze(-1).mul(scale).div_(x.shape[-1])
        return dx.add_(constant), dw.to(weight.dtype), None


class _Rotate(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        ctx.save_for_backward(cos, sin)
        return _turn(x, cos, sin, 1)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None]:
        cos, sin = ctx.saved_tensors
        return _turn(grads[0], cos, sin, -1), None, None


def _turn(x: Tensor, cos: Tensor, sin: Tensor, direction: int) -> Tensor:
    out = torch.empty(x.shape, dtype=x.dtype, device=x.device)
    (first, second), (left, right) = x.chunk(2, dim=-1), out.chunk(2, dim=-1)
    torch.mul(first, cos, out=left)
    left.addcmul_(second, sin, value=-direction)
    torch.mul(second, cos, out=right)
    right.addcmul_(first, sin, value=direction)
    return out


class _SwiGLU(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, gate_up: Tensor) -> Tensor:
        ctx.save_for_backward(gate_up)
        gate, up = gate_up.chunk(2, dim=-1)
        return F.silu(gate).mul_(up)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:
        grad = grads[0]
        gate_up = ctx.saved_tensors[0]
        gate, up = gate_up.chunk(2, dim=-1)
        out = torch.empty_like(gate_up)
        d_gate, d_up = out.chunk(2, dim=-1)
        torch.mul(grad, F.silu(gate), out=d_up)
        torch.ops.aten.silu_backward.grad_input(grad * up, gate, grad_input=d_gate)
        return out


if __name__ == "__main__":
    rows = torch.randn(4, 64, generator=torch.Generator().manual_seed(0), requires_grad=True)
    gains = torch.ones(64, requires_grad=True)
    gap = rms_norm(rows, gains, 1e-6) - rms_norm_reference(rows, gains, 1e-6)
    print(f"largest difference from the reference: {gap.abs().max().item():.1e}")
