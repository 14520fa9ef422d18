"""What a rule of drawing is; `hanlin.generation.rules` lists them.

python -m hanlin.generation.rule
"""

from __future__ import annotations

from torch import Tensor

__all__ = ["Rule"]


class Rule:
    """Changes how the next token of one text is drawn; by itself it changes nothing."""

    def steer(self, logits: Tensor) -> None:
        """Change the logits (V,) of the next token in place."""

    def amend(self, token: int) -> int:
        """Return the token that is written where `token` was drawn."""
        return token

    def take(self, token: int) -> None:
        """Note a token that was written."""


if __name__ == "__main__":
    print(Rule().amend(5))
