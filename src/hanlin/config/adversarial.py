"""Which attacks a task stage trains against."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from hanlin.config._strict import Strict

__all__ = ["AdversarialConfig", "AttackFamily", "AttackNorm", "EmbeddingAttack"]

EmbeddingAttack = Literal["none", "fgsm", "fgm", "pgd", "freelb", "virtual", "noise"]
AttackNorm = Literal["l2", "linf"]
AttackFamily = Literal[
    "typing",
    "lookalike",
    "case",
    "sound",
    "shape",
    "split",
    "traditional",
    "pinyin",
    "marks",
    "synonym",
]

_FIXED_NORM = {"fgsm": "linf", "fgm": "l2"}
_STEPPED = ("pgd", "freelb")


class AdversarialConfig(Strict):
    """Attacks on the current model, from whose results it learns."""

    method: EmbeddingAttack = "none"
    """How embeddings are moved: `fgsm`, `fgm` (one step), `pgd` (several), `freelb` (several, and
    the loss is taken at each), `virtual` (against the model's own prediction), or `noise`, the
    control: a random move of equal size."""
    epsilon: float = Field(default=0.1, gt=0, le=1)
    """How far an example's embeddings move at most, over their own length."""
    norm: AttackNorm | None = None
    """Whether that length is Euclidean (`l2`) or the largest single value (`linf`); left out,
    `linf` for fgsm and `l2` for the others."""
    steps: int = Field(default=3, ge=1)
    """`pgd`: how often a move goes uphill; `freelb`: at how many moves the loss is taken."""
    step_size: float = Field(default=0.5, gt=0)
    """`pgd`, `freelb`: the length of a step over epsilon."""
    weight: float = Field(default=0.5, gt=0)
    """The share of the loss that is taken at moved embeddings, the rest at the true ones, at most
    1; `virtual`: the factor of the divergence that is added."""
    families: tuple[AttackFamily, ...] = ()
    """Families of attacks on the text that examples are rewritten by, against the current model."""
    held_out: tuple[AttackFamily, ...] = ()
    """Families that are never trained on, for a fair measure; none may stand in `families`."""
    share: float = Field(default=0.3, ge=0, le=1)
    """The share of the examples that are rewritten; with 0, attacks are measured alone."""
    budget: float = Field(default=0.2, gt=0, le=1)
    """The share of an example's units (Chinese characters, words) that are changed at most."""
    tries: int = Field(default=4, ge=1)
    """How many rewritings of an example are tried; the one that the model does worst on is learnt.
    With 1, rewriting is blind: the control."""
    measured: int = Field(default=20, ge=0)
    """Examples of a group that are attacked once the stage has learnt, by each family that is
    named here and by those of each key together, or by all of the language where none is; 0 for
    none."""

    @property
    def resolved_norm(self) -> AttackNorm:
        """The norm, the method's own where none is given."""
        return self.norm or ("linf" if self.method == "fgsm" else "l2")

    @property
    def rewrites(self) -> bool:
        """Whether it learns from rewritten texts."""
        return bool(self.families) and self.share > 0

    @property
    def measured_sets(self) -> tuple[str, ...]:
        """The sets of families that are measured together, by name."""
        named = {"trained": self.families, "held_out": self.held_out}
        return tuple(name for name, families in named.items() if families) or ("together",)

    @property
    def passes(self) -> float:
        """What a step costs, in passes over its rows forward and back; a plain one costs 1."""
        whole = {"none": 1, "pgd": 1 + self.steps, "freelb": self.steps + (self.weight < 1)}
        passes = float(whole.get(self.method, 2 + (self.method == "virtual")))
        if self.rewrites and self.tries > 1:  # one for the gradient, and forward alone for tries
            passes += self.share * (1 + self.tries / 3)
        return passes

    @model_validator(mode="after")
    def _settings_fit(self) -> Self:
        fixed = _FIXED_NORM.get(self.method)
        if fixed and self.resolved_norm != fixed:
            raise ValueError(
                f"method {self.method!r} is of the norm {fixed!r}; leave out `norm`, or take "
                "method = 'pgd' with steps = 1"
            )
        if self.method != "virtual" and self.weight > 1:
            raise ValueError(f"weight {self.weight:g} is a share of the loss and at most 1")
        for key in ("steps", "step_size"):
            given = getattr(self, key) != type(self).model_fields[key].default
            if given and self.method not in _STEPPED:
                raise ValueError(
                    f"`{key}` has no meaning for method {self.method!r}; leave it out, or take "
                    "method = 'pgd' or 'freelb'"
                )
        if self.method == "none" and self.share and not self.families:
            raise ValueError(
                "it attacks nothing; set `method`, name `families`, or measure alone by share = 0"
            )
        both = [name for name in self.families if name in self.held_out]
        if both:
            raise ValueError(f"{', '.join(both)} cannot be trained on and held out; name it once")
        return self
