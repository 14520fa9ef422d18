"""torch.compile for the training pass alone, on request.

On the CPUs that were measured it gains nothing beyond what the kept buffers and the fused loss do,
and its C++ may fail to build; so it is off by default. Evaluation and sampling, whose shapes change
from call to call, always run as written.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from hanlin.errors import HanlinError

__all__ = ["compiled"]


@contextlib.contextmanager
def compiled(model: nn.Module) -> Iterator[None]:
    """Compile `model.hidden` for calls in training mode, as long as the context lasts.

    Raises:
        HanlinError: the compiler failed; training without it gives the same model.
    """
    plain: Any = model.hidden
    fast: Any = torch.compile(plain)

    def hidden(ids: Tensor, **options: Any) -> Tensor:
        result: Tensor = (fast if model.training else plain)(ids, **options)
        return result

    model.__dict__["hidden"] = hidden  # shadows the method of the class
    try:
        yield
    except torch._dynamo.exc.TorchDynamoException as error:
        raise HanlinError(
            "torch.compile failed. Set training.compile = false; what is learnt stays the same. "
            f"The compiler said: {error}"
        ) from error
    finally:
        del model.__dict__["hidden"]
