"""fp32 master weights, and the working copy that the model computes with.

In bf16 the model's own parameters are bf16, gradients are added up in fp32, the optimiser updates
the masters, and the result is copied back once a step (mixed precision with master weights;
Micikevicius et al. 2018, arXiv:1710.03740). There is no autocast, so that nothing is cast twice. In
fp32 the masters are the parameters themselves and all of this costs nothing. fp16 is not offered:
its range needs loss scaling, and no CPU is fast at it.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from hanlin.errors import CheckpointError

__all__ = ["MasterWeights"]


class MasterWeights:
    """The weights of a model in fp32, by name; the trainable ones carry gradients."""

    def __init__(self, model: nn.Module, dtype: torch.dtype) -> None:
        """Take fp32 masters of the model's parameters, which become `dtype`."""
        self._model = model
        self._apart = dtype != torch.float32
        self._parameters = dict(model.named_parameters())
        self._masters: dict[str, Tensor] = dict(self._parameters)
        if self._apart:
            self._masters = {n: p.detach().float().clone() for n, p in self._parameters.items()}
        for parameter in self._parameters.values():
            parameter.data = parameter.data.to(dtype)

    @property
    def trainable(self) -> dict[str, Tensor]:
        """The masters that learn; their `.grad` is what an optimiser reads."""
        return {n: self._masters[n] for n, p in self._parameters.items() if p.requires_grad}

    def collect(self) -> None:
        """Add the gradients of a backward pass to the masters' and free them."""
        if not self._apart:
            return
        for name, parameter in self._parameters.items():
            if parameter.grad is None:
                continue
            master = self._masters[name]
            if master.grad is None:
                master.grad = parameter.grad.float()
            else:
                master.grad.add_(parameter.grad)
            parameter.grad = None

    def gradients(self) -> list[Tensor]:
        """Return all gradients in order; a weight that took no part in the loss gets zeros."""
        gradients = []
        for master in self.trainable.values():
            if master.grad is None:
                master.grad = torch.zeros_like(master)
            gradients.append(master.grad)
        return gradients

    def clear(self) -> None:
        """Forget all gradients."""
        for tensor in (*self._masters.values(), *self._parameters.values()):
            tensor.grad = None

    @torch.no_grad()
    def publish(self) -> None:
        """Copy the masters to the working weights."""
        if self._apart:
            torch._foreach_copy_(list(self._parameters.values()), list(self._masters.values()))

    @torch.no_grad()
    def release(self) -> None:
        """Give the model its fp32 weights back: the end of training."""
        self.clear()
        for name, parameter in self._parameters.items():
            parameter.data = self._masters[name].detach()

    def state_dict(self) -> dict[str, Tensor]:
        """Return the weights that learn in fp32 by name, and the buffers.

        What is frozen follows from the model that training starts from, and is not kept twice.
        """
        return {name: tensor.detach() for name, tensor in self._changing().items()}

    @torch.no_grad()
    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Take back what `state_dict` gave; names and shapes must agree."""
        targets = self._changing()
        for name in sorted(targets.keys() ^ state.keys()):
            where = "the checkpoint" if name in state else "the model"
            raise CheckpointError(f"The weight {name} is found in {where} only.")
        for name, target in targets.items():
            if target.shape != state[name].shape:
                raise CheckpointError(
                    f"The weight {name} is {tuple(target.shape)} in the model and "
                    f"{tuple(state[name].shape)} in the checkpoint."
                )
            target.copy_(state[name])
        self.publish()

    def _changing(self) -> dict[str, Tensor]:
        kept = self._model.state_dict().keys()
        buffers = {name: b for name, b in self._model.named_buffers() if name in kept}
        return {**self.trainable, **buffers}
