"""Sums over the processes of a run, for what an objective remembers on each of them.

python -m hanlin.objectives.processes
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch import distributed as dist

__all__ = ["sum_over_processes"]


def sum_over_processes(tensor: Tensor) -> Tensor:
    """Return the sum of a tensor over all processes; of one process alone, the tensor itself.

    All processes must come here equally often, and so at every microbatch or at none.
    """
    if not dist.is_available() or not dist.is_initialized():
        return tensor
    total = tensor.cuda() if dist.get_backend() == "nccl" else tensor.clone()
    dist.all_reduce(total)
    return total.to(tensor.device)


if __name__ == "__main__":
    print(sum_over_processes(torch.ones(2)))
