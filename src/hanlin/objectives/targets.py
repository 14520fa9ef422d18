"""Which tokens of a transformed text are learnt: a pure function of the row's ids, never stored.

Between `<|permute|>`, `<|copy|>` or a leading `<|sort|>` and the marker that answers it
(`<|original|>`, or `<|sort|>` after shuffled sentences) nothing is a target: the ill-formed side
is only read. A marker is never a target either, or else a new document would begin with one now
and then, unasked. `<|sep|>` is one, since the model writes it itself.

    python -m hanlin.objectives.targets

B batch, T time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from hanlin.tokenizers import Tokenizer

__all__ = ["Markers", "hidden_targets"]

_OPENING = ("<|permute|>", "<|copy|>")
_CLOSING = ("<|original|>",)
_SORT = "<|sort|>"
_OTHERS = ("<|reverse|>", "<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>")


@dataclass(frozen=True, slots=True)
class Markers:
    """The ids of the control tokens that mark transformed text."""

    opening: tuple[int, ...]
    """After these, the text is only read."""
    closing: tuple[int, ...]
    """After these, it is learnt again; <|endoftext|> is one."""
    sort: int
    """Opens at the start of a document, closes anywhere else."""
    all: tuple[int, ...]
    """Every marker: none is a target."""
    eot: int

    @classmethod
    def of(cls, tokenizer: Tokenizer) -> Markers | None:
        """Return a tokenizer's markers; None where it lacks one, so that no text has any."""
        names = (*_OPENING, *_CLOSING, _SORT, *_OTHERS)
        if any(name not in tokenizer.control for name in names):
            return None
        ids = tokenizer.control
        return cls(
            opening=tuple(ids[name] for name in _OPENING),
            closing=(tokenizer.eot_id, *(ids[name] for name in _CLOSING)),
            sort=ids[_SORT],
            all=tuple(ids[name] for name in names),
            eot=tokenizer.eot_id,
        )


def hidden_targets(ids: Tensor, markers: Markers) -> Tensor | None:
    """Return which tokens (B, T) are no targets; None where no row holds a marker."""
    marked = torch.isin(ids, ids.new_tensor(markers.all))
    if not bool(marked.any()):
        return None
    sort = ids == markers.sort
    leading = torch.zeros_like(sort)
    leading[:, 1:] = sort[:, 1:] & (ids[:, :-1] == markers.eot)
    leading[:, 0] = sort[:, 0]
    opens = torch.isin(ids, ids.new_tensor(markers.opening)) | leading
    closes = torch.isin(ids, ids.new_tensor(markers.closing)) | (sort & ~leading)
    return marked | (_last(opens) > _last(closes))


def _last(here: Tensor) -> Tensor:
    """Return for each place the last place up to it where `here` holds, -1 for none, (B, T)."""
    places = torch.arange(here.shape[1], device=here.device).expand(here.shape)
    return torch.where(here, places, -1).cummax(1).values


if __name__ == "__main__":
    from hanlin.tokenizers.control import CONTROL_IDS as ID

    row = [0, ID["<|permute|>"], 100, 101, ID["<|original|>"], 101, 100, 0, 102]
    own = Markers((11, 14), (0, 13), 12, (11, 14, 13, 12, 10, 15, 16, 17), 0)
    hidden = hidden_targets(torch.tensor([row]), own)
    print(row, hidden.tolist() if hidden is not None else None)
