"""Logits that are no numbers: a text that comes to such ends in an error that names the step.

A weight that is not finite, or a product beyond what the precision holds, can stay hidden until a
text touches it. Drawn from such logits a token would be the first or the last, and the text
nonsense that nobody notices. One sum over the vocabulary, next to a pass through the model, tells.

    python -m hanlin.generation.soundness
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from hanlin.errors import NotFiniteError

if TYPE_CHECKING:
    from torch import Tensor

    from hanlin.generation.draft import Draft

__all__ = ["not_finite", "require_finite"]


def require_finite(logits: Tensor, drafts: Sequence[Draft]) -> None:
    """Check the logits (R, V) of each draft's next token; a draft that has ended needs none.

    Raises:
        NotFiniteError: a sum is not finite; the step is named.
    """
    sound = logits.float().sum(-1).isfinite()
    if bool(sound.all()):
        return
    for draft, is_sound in zip(drafts, sound.tolist(), strict=True):
        if not is_sound and draft.reason is None:
            raise not_finite(len(draft.ids) + 1)


def not_finite(step: int) -> NotFiniteError:
    """Return the error of a text whose logits are no numbers when it draws token number `step`."""
    return NotFiniteError(
        f"The model's logits are not finite at step {step} of this text, so that no token can be "
        "drawn: its weights hold numbers that are none, or are beyond what this precision "
        "computes. Take an earlier release or checkpoint."
    )


if __name__ == "__main__":
    print(not_finite(3))
