"""What a language stage minimises besides the cross-entropy of the next token."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from hanlin.config._strict import Strict

__all__ = ["LanguageConfig", "RewardsConfig"]


class RewardsConfig(Strict):
    """How much each reward counts; the sum of rewards is divided by the sum of these weights."""

    overlap: float = Field(default=0.4, ge=0)
    """Characters in common with the true continuation (chrF)."""
    repetition: float = Field(default=0.2, ge=0)
    """Minus repeated 4-grams and the longest run of one token."""
    fluency: float = Field(default=0.2, ge=0)
    """How near its likelihood under a Kneser-Ney model is to that of human text."""
    lexical: float = Field(default=0.1, ge=0)
    """How near the mean rarity of its tokens is to that of human text."""
    ending: float = Field(default=0.1, ge=0)
    """Whole characters, and an end after a mark that ends a sentence."""
    critic: float = Field(default=0.0, ge=0)
    """What a learned critic that tells human from machine text gives."""
    random: float = Field(default=0.0, ge=0)
    """A control: chance alone."""
    constant: float = Field(default=0.0, ge=0)
    """A control: the same for all."""

    @model_validator(mode="after")
    def _some_weight(self) -> Self:
        if not any(self.model_dump().values()):
            raise ValueError("all rewards have weight 0; give one of them a weight")
        return self


class LanguageConfig(Strict):
    """Unlikelihood against repetition, and policy gradient over sampled continuations."""

    token_unlikelihood: float = Field(default=0.25, ge=0)
    """Weight of the penalty on earlier tokens of the row (Welleck et al. 2019)."""
    window: int = Field(default=64, ge=1)
    """Earlier tokens that it looks back on, in the same document."""
    confidence: float = Field(default=0.0, ge=0)
    """Weight of the penalty on wrong tokens that are the likeliest by far."""
    confident_above: float = Field(default=0.5, gt=0, lt=1)
    """The probability above which a wrong token is penalised so."""
    sequence_unlikelihood: float = Field(default=0.5, ge=0)
    """Weight of the penalty on repeated n-grams of the model's own continuations."""
    ngram: int = Field(default=4, ge=1, le=16)
    """Tokens of such an n-gram."""
    decoding: Literal["greedy", "sampled"] = "greedy"
    """How the continuations are written that this penalty looks at."""
    overuse: float = Field(default=0.0, ge=0)
    """Weight of the penalty on tokens that the model writes more often than people do (Li 2020)."""
    exempt_common: int = Field(default=50, ge=0)
    """Commonest tokens of Chinese, and as many of the rest, that no penalty touches."""
    policy: float = Field(default=0.0, ge=0, le=1)
    """Share g of the policy gradient where a batch samples; cross-entropy keeps 1 - g."""
    variant: Literal["rloo", "self_critical", "minimum_risk", "walk"] = "rloo"
    """Leave-one-out REINFORCE, a greedy baseline, minimum risk, or the replacement walk."""
    group: int = Field(default=8, ge=1)
    """Continuations sampled of each prefix."""
    risk_sharpness: float = Field(default=5e-3, gt=0)
    """Exponent of the probabilities that minimum risk weighs a group by (Shen et al. 2016)."""
    kl: float = Field(default=0.02, ge=0)
    """Weight of the divergence from the release that the stage starts from, beside the policy."""
    rewards: RewardsConfig = RewardsConfig()
    """What the policy gradient rewards."""
    batch_share: float = Field(default=0.5, gt=0, le=1)
    """Share of the batches that sample."""
    row_share: float = Field(default=0.25, gt=0, le=1)
    """Share of such a batch's rows that give a prefix; at least one row does."""
    prefix_tokens: int = Field(default=32, ge=1)
    """Tokens of a prefix."""
    new_tokens: int = Field(default=64, ge=4)
    """Tokens written after it at most."""
    fluency_order: int = Field(default=4, ge=1, le=7)
    """Order of the Kneser-Ney model of the fluency reward."""
    fluency_tokens: int = Field(default=2_000_000, ge=1)
    """Training tokens that it counts at most."""
    critic_rate: float = Field(default=1e-3, gt=0)
    """Learning rate of the critic."""
    critic_steps: int = Field(default=2, ge=1)
    """Steps of the critic a batch that samples."""

    @property
    def samples(self) -> bool:
        """Whether anything needs the model's own continuations."""
        return any((self.policy, self.sequence_unlikelihood, self.overuse))

    @property
    def needs_reference(self) -> bool:
        """Whether the release that the stage starts from is asked beside the model."""
        return bool(self.policy and self.kl)

    @model_validator(mode="after")
    def _group_has_others(self) -> Self:
        if self.policy and self.variant in ("rloo", "minimum_risk") and self.group < 2:
            raise ValueError(
                f"variant {self.variant!r} compares the continuations of a group with each other; "
                "set group = 2 or more, or variant = 'self_critical'"
            )
        return self
