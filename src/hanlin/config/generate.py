"""How a generate stage chooses the decoding."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from hanlin.config._strict import Strict

__all__ = ["GenerateConfig"]

Positive = Annotated[float, Field(gt=0)]
NotNegative = Annotated[float, Field(ge=0)]
NotNegativeInt = Annotated[int, Field(ge=0)]
Share = Annotated[float, Field(ge=0, le=1)]
PositiveShare = Annotated[float, Field(gt=0, le=1)]


class GenerateConfig(Strict):
    """The samplers that are compared, and on how many prompts.

    Every combination of the lists is tried, and the recipe's own `sampling` beside them.
    """

    temperature: tuple[NotNegative, ...] = Field(default=(0.7, 0.85, 1.0), min_length=1)
    """Temperatures; 0 takes the likeliest token always."""
    top_p: tuple[PositiveShare, ...] = Field(default=(0.9, 1.0), min_length=1)
    """Probabilities that the kept tokens hold."""
    min_p: tuple[Share, ...] = Field(default=(0.0, 0.05), min_length=1)
    """Least likelihoods beside the likeliest token's."""
    typical_p: tuple[PositiveShare, ...] = Field(default=(1.0,), min_length=1)
    """Probabilities that the tokens of expected surprise hold."""
    no_repeat_ngram: tuple[NotNegativeInt, ...] = Field(default=(0,), min_length=1)
    """Lengths of n-grams that are not written twice; 0 allows all."""
    repetition_penalty: tuple[Positive, ...] = Field(default=(1.0, 1.1), min_length=1)
    """Divisors of the logits of tokens already seen."""
    prompts: int = Field(default=16, ge=2)
    """Prompts a language, on validation text to choose and on test text to compare."""
    prompt_tokens: int = Field(default=16, ge=1)
    """Tokens of a document's beginning that make a prompt."""
    max_tokens: int = Field(default=100, ge=8)
    """Tokens written after each, and taken of the human text."""
    draws: int = Field(default=3, ge=2)
    """Seeds with which the winner and the recipe's sampling are compared."""
