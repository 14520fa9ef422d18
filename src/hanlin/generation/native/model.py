"""A decoder in the native core: read from a released folder, plain or quantised, without torch.

weights   what is held                                       arithmetic
fp32      numbers as they are stored                         fp32
bf16      numbers rounded to 16 bits                         fp32
int8      codes with a scale a row                           codes of activations, whole numbers
int4      codes with a scale and a zero a group              the same, a group at a time
auto      as the folder stores them (16-bit fp16 as fp32)

cache     what is kept of each key and value
32        fp32; with weights of fp32, unless something else is asked for
16        float16; with all other weights
8         codes with a scale for each head and place, as `hanlin.models.pages` keeps them

python -m hanlin.generation.native.model FOLDER
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from hanlin.config import ModelConfig, QuantisationConfig
from hanlin.errors import ModelError
from hanlin.generation.native.compiled import load_core
from hanlin.generation.native.filling import Builder
from hanlin.generation.native.shapes import packed_names, parameter_shapes
from hanlin.generation.native.tensors import Stored, read_arrays
from hanlin.models.names import Rule, rules
from hanlin.models.packed_config import read_config, read_quantisation

__all__ = ["CacheBits", "NativeModel", "Portion", "Weights", "load_native", "random_native"]

Weights = Literal["auto", "fp32", "bf16", "int8", "int4"]
CacheBits = Literal[0, 8, 16, 32]


@dataclass(frozen=True, slots=True)
class Portion:
    """Tokens that a session of the core reads."""

    session: Any
    tokens: Sequence[int]
    is_wanted: bool = True
    """Whether the logits after the last token are."""


@dataclass(frozen=True)
class NativeModel:
    """A decoder in the core."""

    config: ModelConfig
    core: Any
    weights: str
    """How the blocks' matrices are held."""
    cache_bits: CacheBits = 0
    """Bits of each key and value that a session keeps; 0 takes 32 with weights of fp32, else 16."""

    def read(self, portions: Sequence[Portion]) -> list[NDArray[np.float32]]:
        """Let each session read, all side by side; return the logits (V,) that are wanted."""
        tokens = np.array([id for portion in portions for id in portion.tokens], dtype=np.int64)
        sessions = [portion.session for portion in portions]
        counts = [len(portion.tokens) for portion in portions]
        return list(self.core.read(sessions, tokens, counts, [p.is_wanted for p in portions]))

    def session(self, capacity: int, cache_bits: CacheBits = 0) -> Any:
        """Return a session of the core for a text of at most `capacity` tokens.

        `cache_bits` other than 0 is taken in place of the model's.

        Raises:
            ModelError: there is not the memory for it.
        """
        bits = cache_bits or self.cache_bits or (32 if self.weights == "fp32" else 16)
        try:
            return load_core().Session(self.core, capacity, bits)
        except MemoryError as error:
            raise ModelError(
                f"There is no memory for the keys and values of {capacity} tokens. Ask for fewer."
            ) from error


def load_native(
    folder: Path,
    *,
    weights: Weights = "auto",
    cache_bits: CacheBits = 0,
    threads: int | None = None,
    instructions: str = "auto",
) -> NativeModel:
    """Read a model from a folder of ours or of transformers; expansions beside it are left out.

    `instructions` names an instruction set; "auto" takes HANLIN_INSTRUCTIONS, or the fastest.

    Raises:
        ModelError: the folder is missing, incomplete, altered or of an unknown kind, or holds
            numbers that are not finite, or is packed otherwise than `weights` asks.
        UserError: the core is not built.
    """
    folder = Path(folder)
    config, packed = read_config(folder), read_quantisation(folder)
    builder = Builder(config, threads, instructions, folder)
    if packed is None:
        _fill(builder, folder, weights)
        return NativeModel(config, builder.finish(), builder.blocks, cache_bits)
    if weights not in ("auto", f"int{packed.bits}"):
        raise ModelError(
            f"The weights in {folder} have {packed.bits} bits and cannot become {weights}. "
            "Take the folder that they were quantised from, or weights auto."
        )
    _fill_packed(builder, folder, packed)
    return NativeModel(config, builder.finish(), f"int{packed.bits}", cache_bits)


def random_native(
    config: ModelConfig,
    *,
    weights: Weights,
    seed: int,
    cache_bits: CacheBits = 0,
    threads: int | None = None,
    instructions: str = "auto",
) -> NativeModel:
    """Return a model of random weights, for measuring; `config` is that of `resolve_model`."""
    generator = np.random.default_rng(seed)
    builder = Builder(config, threads, instructions, Path("random weights"))
    for name, shape in parameter_shapes(config).items():
        array = generator.standard_normal(shape, dtype=np.float32)
        array *= np.float32(0.02)
        if len(shape) == 1 and name.endswith("weight"):
            array += np.float32(1)
        builder.add(Rule(name, (name,)), [Stored(array, "F32")], weights)
    return NativeModel(config, builder.finish(), builder.blocks, cache_bits)


def _fill(builder: Builder, folder: Path, weights: Weights) -> None:
    """Add what a folder of numbers holds."""
    shapes = parameter_shapes(builder.config)
    known = list(rules(builder.config))
    expected: dict[str, tuple[int, ...]] = {}
    for rule in known:
        expected |= rule.shapes(shapes[rule.ours])
    with read_arrays(folder, expected, {}) as arrays:
        for rule in known:
            builder.add(rule, [arrays[name] for name in rule.theirs], weights)


def _fill_packed(builder: Builder, folder: Path, packed: QuantisationConfig) -> None:
    """Add what a folder of codes holds."""
    wanted, codes = packed_names(builder.config, packed.bits, packed.table_bits, packed.group)
    with read_arrays(folder, wanted, codes) as arrays:
        for name, shape in parameter_shapes(builder.config).items():
            if len(shape) == 1:
                builder.add_vector(name, arrays[name])
                continue
            root = name.removesuffix(".weight")
            parts = {leaf: arrays.get(f"{root}.{leaf}") for leaf in ("codes", "scales", "zeros")}
            builder.add_codes(root, shape, parts, packed.group)


if __name__ == "__main__":
    import sys

    found = load_native(Path(sys.argv[1]))
    print(found.weights, found.core.instructions, f"{found.core.weight_bytes:,} bytes")
