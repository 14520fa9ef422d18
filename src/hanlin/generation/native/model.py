"""A decoder in the native core: read from a released folder, plain or quantised, without torch.

weights   what is held                                       arithmetic
fp32      numbers as they are stored                         fp32
bf16      numbers rounded to 16 bits                         fp32
int8      codes with a scale a row                           codes of activations, whole numbers
int4      codes with a scale and a zero a group              the same, a group at a time
auto      as the folder stores them (16-bit fp16 as fp32)

python -m hanlin.generation.native.model FOLDER
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from hanlin.config import ModelConfig
from hanlin.errors import ModelError
from hanlin.generation.native.compiled import default_instructions, default_threads, load_core
from hanlin.generation.native.rounding import round_int4, round_int8
from hanlin.generation.native.shapes import parameter_shapes
from hanlin.generation.native.tensors import Stored, read_arrays
from hanlin.models.names import Rule, rules
from hanlin.models.packed_config import packed_shapes, read_config, read_quantisation

__all__ = ["NativeModel", "Weights", "load_native", "random_native"]

Weights = Literal["auto", "fp32", "bf16", "int8", "int4"]

_GROUP = 64
"""Columns that share a scale where numbers are rounded to 4 bits here."""


@dataclass(frozen=True)
class NativeModel:
    """A decoder in the core."""

    config: ModelConfig
    core: Any
    weights: str
    """How the blocks' matrices are held."""

    def session(self, capacity: int) -> Any:
        """Return a session of the core for a text of at most `capacity` tokens.

        Raises:
            ModelError: there is not the memory for it.
        """
        try:
            return load_core().Session(self.core, capacity)
        except MemoryError as error:
            raise ModelError(
                f"There is no memory for the keys and values of {capacity} tokens. Ask for fewer."
            ) from error


def load_native(
    folder: Path,
    *,
    weights: Weights = "auto",
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
    builder = _Builder(config, threads, instructions, folder)
    if packed is None:
        expected: dict[str, tuple[int, ...]] = {}
        shapes = parameter_shapes(config)
        for rule in rules(config):
            expected |= rule.shapes(shapes[rule.ours])
        arrays = read_arrays(folder, expected, {})
        for rule in rules(config):
            builder.add(rule, [arrays[name] for name in rule.theirs], weights)
        return builder.finish(builder.blocks)
    if weights not in ("auto", f"int{packed.bits}"):
        raise ModelError(
            f"The weights in {folder} have {packed.bits} bits and cannot become {weights}. "
            "Take the folder that they were quantised from, or weights auto."
        )
    wanted, codes = _packed_names(config, packed.bits, packed.table_bits, packed.group)
    arrays = read_arrays(folder, wanted, codes)
    for name, shape in parameter_shapes(config).items():
        if len(shape) == 1:
            builder.add_vector(name, arrays[name])
            continue
        root = name.removesuffix(".weight")
        parts = {leaf: arrays.get(f"{root}.{leaf}") for leaf in ("codes", "scales", "zeros")}
        builder.add_codes(root, shape, parts, packed.group)
    return builder.finish(f"int{packed.bits}")


def random_native(
    config: ModelConfig,
    *,
    weights: Weights,
    seed: int,
    threads: int | None = None,
    instructions: str = "auto",
) -> NativeModel:
    """Return a model of random weights, for measuring; `config` is that of `resolve_model`."""
    generator = np.random.default_rng(seed)
    builder = _Builder(config, threads, instructions, Path("random weights"))
    for name, shape in parameter_shapes(config).items():
        array = generator.standard_normal(shape, dtype=np.float32)
        array *= np.float32(0.02)
        if len(shape) == 1 and name.endswith("weight"):
            array += np.float32(1)
        builder.add(Rule(name, (name,)), [Stored(array, "F32")], weights)
    return builder.finish(builder.blocks)


class _Builder:
    """Puts the parameters of one model into the core."""

    def __init__(
        self, config: ModelConfig, threads: int | None, instructions: str, where: Path
    ) -> None:
        self.config, self.where, self.blocks = config, where, "fp32"
        gpt2 = config.family == "gpt2"
        with self._told():
            self.core = load_core().Model(
                vocab=config.vocab_size,
                context=config.context_length,
                width=config.hidden_size,
                layers=config.num_layers,
                heads=config.num_heads,
                kv_heads=config.resolved_kv_heads,
                head_dim=config.resolved_head_dim,
                inner=config.resolved_intermediate_size,
                gpt2=gpt2,
                tied=config.tie_embeddings,
                band=config.band_width if config.attention == "banded" else 0,
                norm_eps=config.norm_eps,
                threads=default_threads() if threads is None else threads,
                instructions=default_instructions() if instructions == "auto" else instructions,
            )
        if not gpt2:
            self.core.set_rotary(_frequencies(config))

    def finish(self, weights: str) -> NativeModel:
        """Return the model once the core has found it complete."""
        with self._told():
            self.core.seal()
        return NativeModel(self.config, self.core, weights)

    def add(self, rule: Rule, parts: list[Stored], weights: Weights) -> None:
        """Add a parameter from the tensors that hold it."""
        if parts[0].array.ndim == 1:
            wide = [_numbers(part) for part in parts]
            self.add_vector(rule.ours, Stored(np.concatenate(wide), "F32"))
            return
        arrays = [Stored(p.array.T if rule.transposed else p.array, p.kind) for p in parts]
        name = rule.ours.removesuffix(".weight")
        kind = ("bf16" if parts[0].kind == "BF16" else "fp32") if weights == "auto" else weights
        if name.startswith("blocks."):
            self.blocks = kind
        if name.endswith(".gate_up"):
            half = len(arrays[0].array) // 2
            if len(arrays) == 1:
                whole = arrays[0]
                arrays = [Stored(p, whole.kind) for p in (whole.array[:half], whole.array[half:])]
            for leaf, array in zip(("gate", "up"), arrays, strict=True):
                self._add_numbers(name.replace("gate_up", leaf), [array], kind, 1.0)
        else:
            self._add_numbers(name, arrays, kind, 1.0 / rule.scale)

    def add_vector(self, name: str, stored: Stored) -> None:
        """Add a gain or a bias."""
        values = _numbers(stored)
        self._check_finite(bool(np.isfinite(values).all()), name)
        with self._told():
            self.core.set_vector(name, values)

    def add_codes(
        self, name: str, shape: tuple[int, ...], parts: dict[str, Stored | None], group: int
    ) -> None:
        """Add a packed matrix."""
        if not name.endswith(".gate_up"):
            self._add_codes(name, shape, parts, group, slice(None))
            return
        half = shape[0] // 2
        for leaf, rows in (("gate", slice(half)), ("up", slice(half, None))):
            part = name.replace("gate_up", leaf)
            self._add_codes(part, (half, shape[1]), parts, group, rows)

    def _add_codes(
        self,
        name: str,
        shape: tuple[int, ...],
        parts: dict[str, Stored | None],
        group: int,
        rows: slice,
    ) -> None:
        codes, scales, zeros = parts["codes"], parts["scales"], parts["zeros"]
        assert codes is not None and scales is not None
        cut = np.ascontiguousarray(codes.array[rows])
        with self._told():
            if zeros is None:
                self.core.add(name, *shape, "int8", group)
                fine = self.core.fill_int8(name, 0, cut, _numbers(scales)[rows, 0].copy())
            else:
                halves = [np.array(_numbers(part)[rows], np.float16) for part in (scales, zeros)]
                self.core.add(name, *shape, "int4", group)
                fine = self.core.fill_int4(name, 0, cut, *halves)
        self._check_finite(fine, name)

    def _add_numbers(self, name: str, parts: list[Stored], kind: str, factor: float) -> None:
        """Add a matrix whose rows are those of all parts; the first one times `factor`."""
        rows, columns = sum(len(part.array) for part in parts), parts[0].array.shape[1]
        with self._told():
            self.core.add(name, rows, columns, kind, _GROUP)
        first = 0
        for part in parts:
            with self._told():
                fine = self._filler(kind)(name, first, part, factor)
            self._check_finite(fine, name)
            first, factor = first + len(part.array), 1.0

    def _filler(self, kind: str) -> Callable[[str, int, Stored, float], bool]:
        def fill(name: str, first: int, part: Stored, factor: float) -> bool:
            return bool(self.core.fill(name, first, part.array, factor))

        def fill_rounded(name: str, first: int, part: Stored, factor: float) -> bool:
            wide = _numbers(part) * np.float32(factor)
            self._check_finite(bool(np.isfinite(wide).all()), name)
            if kind == "int8":
                codes, scales, _ = round_int8(wide)
                return bool(self.core.fill_int8(name, first, codes, scales))
            return bool(self.core.fill_int4(name, first, *round_int4(wide, _GROUP)))

        return fill if kind in ("fp32", "bf16") else fill_rounded

    def _check_finite(self, fine: bool, name: str) -> None:
        if not fine:
            raise ModelError(
                f"{name} in {self.where} holds a number that is not finite, as a run that diverged "
                "leaves behind. Take an earlier release."
            )

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Turn what the core refuses into an error that names the folder."""
        try:
            yield
        except (ValueError, TypeError, OverflowError) as error:
            raise ModelError(
                f"The native engine cannot hold the model in {self.where}: {error}. "
                "Generate with --engine torch."
            ) from error
        except MemoryError as error:
            raise ModelError(
                f"There is no memory for the model in {self.where}. Quantise it (hanlin quantize), "
                "or take a smaller one."
            ) from error


def _numbers(stored: Stored) -> NDArray[np.float32]:
    """Return a fresh array of fp32."""
    if stored.kind != "BF16":
        return np.array(stored.array, dtype=np.float32, order="C")
    wide = stored.array.astype(np.uint32) << np.uint32(16)
    return np.ascontiguousarray(wide).view(np.float32)


def _frequencies(config: ModelConfig) -> NDArray[np.float32]:
    """Return how fast each pair of a head turns, rounded as `hanlin.models.rotary` does."""
    width = config.resolved_head_dim
    exponents = np.arange(0, width, 2, dtype=np.float32) / np.float32(width)
    theta = np.float32(config.rope_theta)
    return np.asarray(np.float32(1) / np.power(theta, exponents), dtype=np.float32)


def _packed_names(
    config: ModelConfig, bits: int, table_bits: int, group: int
) -> tuple[dict[str, tuple[int, ...]], dict[str, str]]:
    """Return the shapes of all tensors of a packed folder, and the types of the codes."""
    shapes: dict[str, tuple[int, ...]] = {}
    codes: dict[str, str] = {}
    for name, shape in parameter_shapes(config).items():
        if len(shape) == 1:
            shapes[name] = shape
            continue
        root = name.removesuffix(".weight")
        width = bits if root.startswith("blocks.") else table_bits
        for leaf, packed in packed_shapes(shape[0], shape[1], width, group).items():
            shapes[f"{root}.{leaf}"] = packed
        codes[f"{root}.codes"] = "I8" if width == 8 else "U8"
    return shapes, codes


if __name__ == "__main__":
    import sys

    found = load_native(Path(sys.argv[1]))
    print(found.weights, found.core.instructions, f"{found.core.weight_bytes:,} bytes")
