"""Data parallelism for `torchrun`: the same mathematics on any number of processes.

Each process computes the gradient sums of its rows. The sums are added over processes in flat
buckets, and the loop divides once by the global weight; so two processes learn what one does, up to
the order of additions. One process alone does nothing here.

    torchrun --nproc-per-node 2 -m hanlin run recipe.toml
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from torch import Tensor
from torch import distributed as dist

from hanlin.errors import HanlinError

__all__ = ["World", "join_world"]

Value = TypeVar("Value")
_BUCKET_BYTES = 25 * 2**20


@dataclass(frozen=True, slots=True)
class World:
    """This process among its peers."""

    rank: int = 0
    size: int = 1
    local_rank: int = 0

    @property
    def first(self) -> bool:
        """Whether this process is the one that writes files and speaks."""
        return self.rank == 0

    def sum_numbers(self, numbers: Sequence[float]) -> list[float]:
        """Return the sums of numbers over all processes, in fp64."""
        if self.size == 1:
            return list(numbers)
        total = torch.tensor(numbers, dtype=torch.float64)
        if dist.get_backend() == "nccl":
            total = total.cuda()
        dist.all_reduce(total)
        return [float(number) for number in total.tolist()]

    def sum_gradients(self, gradients: Sequence[Tensor]) -> None:
        """Replace gradients, in place, by their sums over all processes."""
        if self.size == 1:
            return
        for bucket in _buckets(gradients):
            flat = torch.cat([gradient.flatten() for gradient in bucket])
            dist.all_reduce(flat)
            pieces = torch.split(flat, [gradient.numel() for gradient in bucket])
            for gradient, piece in zip(bucket, pieces, strict=True):
                gradient.copy_(piece.view_as(gradient))

    def on_first(self, action: Callable[[], Value]) -> Value:
        """Run an action on the first process only; all get its result, or raise its error."""
        if self.size == 1:
            return action()
        box: list[Any] = [None, None]
        if self.first:
            try:
                box[0] = action()
            except HanlinError as error:
                box[1] = error
        dist.broadcast_object_list(box, src=0)
        if box[1] is not None:
            raise box[1]
        value: Value = box[0]
        return value


@contextlib.contextmanager
def join_world() -> Iterator[World]:
    """Join the processes that torchrun started, as its environment variables say.

    The backend is NCCL with CUDA and gloo without. A group that is already there is used and left.
    """
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        yield World()
        return
    rank, local_rank = int(os.environ["RANK"]), int(os.environ.get("LOCAL_RANK", "0"))
    ours = not dist.is_initialized()
    if ours:
        if torch.cuda.is_available():
            torch.cuda.set_device(local_rank)
        backend = "nccl" if torch.cuda.is_available() else "gloo"
        dist.init_process_group(backend, rank=rank, world_size=size)
    try:
        yield World(rank, size, local_rank)
    finally:
        if ours:
            dist.destroy_process_group()


def _buckets(gradients: Sequence[Tensor]) -> Iterator[list[Tensor]]:
    bucket: list[Tensor] = []
    filled = 0
    for gradient in gradients:
        bucket.append(gradient)
        filled += gradient.nbytes
        if filled >= _BUCKET_BYTES:
            yield bucket
            bucket, filled = [], 0
    if bucket:
        yield bucket
