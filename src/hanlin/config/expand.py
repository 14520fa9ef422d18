"""How an expand stage grows a frozen model on new text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, Self

from pydantic import Field, model_validator

from hanlin.config._strict import Strict
from hanlin.config.level import LevelConfig

__all__ = ["ExpandConfig", "ExpandMethod", "LoraMatrix"]

ExpandMethod = Literal["blocks", "lora", "mlp", "layers"]
LoraMatrix = Literal["qkv", "output", "up", "down"]

_SETTINGS: Mapping[ExpandMethod, tuple[str, ...]] = {
    "blocks": ("blocks",),
    "lora": ("rank", "alpha", "matrices", "layers"),
    "mlp": ("mlp_factor", "mlp_start"),
    "layers": ("layers",),
}


class ExpandConfig(Strict):
    """What is added to the frozen model, and when."""

    name: str = Field(default="", pattern=r"^([a-z0-9][a-z0-9_-]*)?$")
    """Its name beside the core, which `--expansion` takes; empty takes the stage's."""
    method: ExpandMethod = "blocks"
    """New blocks between the old, low-rank corrections, wider MLPs, or some layers trained as
    copies."""
    blocks: int = Field(default=1, ge=1)
    """`blocks`: how many are added, one behind each group of layers; must divide their number."""
    rank: int = Field(default=16, ge=1)
    """`lora`: the rank of a correction."""
    alpha: float = Field(default=32.0, gt=0)
    """`lora`: a correction counts alpha / rank times."""
    matrices: tuple[LoraMatrix, ...] = Field(default=("qkv", "output", "up", "down"), min_length=1)
    """`lora`: the matrices of a layer that are corrected; `up` holds the gate too."""
    layers: tuple[int, ...] = ()
    """`layers`, `lora`: the layers that learn, from 0; none named means all, for `lora` alone."""
    mlp_factor: float = Field(default=2.0, gt=1, le=2)
    """`mlp`: the new width over the old. At most 2: of two trained copies of one unit, each would
    learn what the other does."""
    mlp_start: Literal["split", "zero"] = "split"
    """`mlp`: a unit and its copy share what the unit gave out, or the copy begins with nothing."""
    over: Literal["core", "merged"] = "core"
    """Where the stage starts from a model that is expanded already: beside that expansion over the
    same core, or over core and expansion merged."""
    trigger: LevelConfig | None = None
    """What the starting stage must have reached; without it, the stage begins in any case."""

    @property
    def settings(self) -> tuple[str, ...]:
        """The names of the settings that the method reads."""
        return _SETTINGS[self.method]

    @model_validator(mode="after")
    def _settings_fit_the_method(self) -> Self:
        if self.name == "off":
            raise ValueError("an expansion cannot be named 'off', which means none")
        for name in dict.fromkeys(name for names in _SETTINGS.values() for name in names):
            given = getattr(self, name) != type(self).model_fields[name].default
            if given and name not in self.settings:
                owners = [method for method, names in _SETTINGS.items() if name in names]
                raise ValueError(
                    f"`{name}` has no meaning for method {self.method!r}; leave it out, or take "
                    f"method = {' or '.join(map(repr, owners))}"
                )
        if self.method == "layers" and not self.layers:
            raise ValueError("method 'layers' needs `layers`, the numbers of those that learn")
        if len(set(self.layers)) < len(self.layers) or min(self.layers, default=0) < 0:
            raise ValueError(f"layers {list(self.layers)} must be different numbers from 0 on")
        return self
