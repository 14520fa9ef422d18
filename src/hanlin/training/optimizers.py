"""The optimiser of a stage: AdamW for all, or Muon for hidden matrices with AdamW for the rest.

AdamW (Loshchilov and Hutter 2019, arXiv:1711.05101) is torch's fused one: one pass over memory, the
least that the arithmetic allows. Weight decay applies to matrices and embeddings, never to norms
and biases. State is kept by parameter name, as plain tensors and numbers.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from hanlin.config import OptimizerConfig
from hanlin.training.muon import Muon

__all__ = ["Optimizer", "hidden_matrices"]


class Optimizer:
    """Updates fp32 master weights from their gradients."""

    def __init__(
        self,
        masters: dict[str, Tensor],
        config: OptimizerConfig,
        *,
        matrices: dict[str, tuple[int, ...]],
        matmul_dtype: torch.dtype = torch.float32,
    ) -> None:
        """Divide the masters between Muon and AdamW.

        Args:
            masters: fp32 weights by name; their `.grad` is what `step` reads.
            config: kind and constants.
            matrices: names of hidden matrices, with the rows of each matrix that one holds.
            matmul_dtype: arithmetic of Muon's products.
        """
        chosen = {name: masters[name] for name in matrices if config.kind == "muon"}
        self._rest = {name: master for name, master in masters.items() if name not in chosen}
        self._rate = config.learning_rate
        self._muon = Muon(
            chosen,
            fused_rows=matrices,
            learning_rate=config.muon_learning_rate,
            momentum=config.momentum,
            weight_decay=config.weight_decay,
            dtype=matmul_dtype,
        )
        self._adamw = _adamw(self._rest, config)

    def step(self, share: float) -> None:
        """Update every master from its gradient, at `share` of the peak rates."""
        if self._adamw is not None:
            for group in self._adamw.param_groups:
                group["lr"] = self._rate * share
            self._adamw.step()
        self._muon.step(share)

    def state_dict(self) -> dict[str, Tensor]:
        """Return the momenta, the moments and AdamW's step counts by parameter name."""
        state = self._muon.state_dict()
        for name, master in self._rest.items():
            assert self._adamw is not None
            for key, value in self._adamw.state[master].items():
                state[f"adamw.{key}.{name}"] = value
        return state

    def state_shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the names and shapes of the state as it is after a step."""
        shapes = {name: tuple(t.shape) for name, t in self._muon.state_dict().items()}
        for name, master in self._rest.items():
            shapes[f"adamw.step.{name}"] = ()
            shapes[f"adamw.exp_avg.{name}"] = shapes[f"adamw.exp_avg_sq.{name}"] = tuple(
                master.shape
            )
        return shapes

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Take back what `state_dict` gave."""
        self._muon.load_state_dict(state)
        for name, master in self._rest.items():
            assert self._adamw is not None
            keys = [key for key in _ADAMW_STATE if f"adamw.{key}.{name}" in state]
            self._adamw.state[master] = {
                key: state[f"adamw.{key}.{name}"].to(master.device, copy=True) for key in keys
            }


_ADAMW_STATE = ("step", "exp_avg", "exp_avg_sq")


def hidden_matrices(model: nn.Module) -> dict[str, tuple[int, ...]]:
    """Return the names of a model's hidden matrices, each with the rows of the matrices in it.

    Hidden matrices are the weights of linear layers apart from the head. A model that keeps several
    matrices in one parameter says so by a method `fused_rows`.
    """
    fused: dict[str, tuple[int, ...]] = getattr(model, "fused_rows", dict)()
    head = getattr(model, "unembedding", None)
    return {
        f"{name}.weight": fused.get(f"{name}.weight", (module.weight.shape[0],))
        for name, module in model.named_modules()
        if isinstance(module, nn.Linear) and module is not head and module.weight.requires_grad
    }


def _adamw(masters: dict[str, Tensor], config: OptimizerConfig) -> torch.optim.AdamW | None:
    decayed = [master for master in masters.values() if master.ndim >= 2]
    others = [master for master in masters.values() if master.ndim < 2]
    groups = [
        {"params": members, "weight_decay": decay}
        for members, decay in ((decayed, config.weight_decay), (others, 0.0))
        if members
    ]
    if not groups:
        return None
    fused = masters[next(iter(masters))].device.type in ("cpu", "cuda", "mps")
    return torch.optim.AdamW(
        groups, lr=config.learning_rate, betas=config.betas, eps=config.eps, fused=fused
    )
