"""The shape that a model grows or shrinks to: what is left out, and what cannot be.

    target_shape(ModelConfig(hidden_size=512, num_layers=8), start)

leaves the family, the vocabulary and all else as in `start`, and widens heads and MLP with the
stream. Growth keeps what the weights mean, so it is refused where that cannot be kept: to a width
that is no whole multiple, another family, another vocabulary. The refusal names every reason.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from pydantic import ValidationError

from hanlin.config import ModelConfig
from hanlin.errors import ModelError
from hanlin.models.growth.width import count_query_slots
from hanlin.models.presets import PRESETS, resolve_model

__all__ = ["Depth", "block_step", "check_growth", "check_shrinkage", "target_shape"]

Depth = Literal["identity", "stack"]

_DERIVED = ("vocab_size", "num_kv_heads", "head_dim", "intermediate_size")
"""Where zero stands for a value that follows from others."""
_KEPT = ("family", "vocab_size", "norm_eps", "rope_theta", "attention", "head_dim")


def target_shape(asked: ModelConfig, start: ModelConfig) -> ModelConfig:
    """Return `asked` with what it leaves out taken from `start`, the widths in proportion.

    Raises:
        ModelError: the preset is unknown or the shape impossible.

    >>> start = resolve_model(ModelConfig(hidden_size=64, num_heads=4), 640)
    >>> target_shape(ModelConfig(hidden_size=128), start).num_heads
    8
    """
    given = {name: getattr(asked, name) for name in asked.model_fields_set}
    if asked.preset:
        resolve_model(asked, start.vocab_size)  # refuses an unknown one
        given = {**PRESETS[asked.preset], **given, "preset": ""}
    given = {name: value for name, value in given.items() if name not in _DERIVED or value}
    width = given.get("hidden_size", start.hidden_size) / start.hidden_size
    heads = given.get("num_heads", round(start.num_heads * width))
    scaled = {
        "num_heads": heads,
        "num_kv_heads": round(start.resolved_kv_heads * heads / start.num_heads),
        "intermediate_size": round(start.resolved_intermediate_size * width),
    }
    try:
        return resolve_model(
            ModelConfig(**{**start.model_dump(), **scaled, **given}), start.vocab_size
        )
    except ValidationError as error:
        reasons = "; ".join(detail["msg"] for detail in error.errors())
        raise ModelError(
            f"The shape asked for, with what it leaves out taken from the model that it starts "
            f"from, is impossible: {reasons}."
        ) from error


def check_growth(start: ModelConfig, target: ModelConfig, depth: Depth) -> None:
    """Raise ModelError with every reason why `start` cannot grow to `target`."""
    _refuse("grow", start, target, [*_changed(start, target), *_not_larger(start, target, depth)])


def check_shrinkage(start: ModelConfig, target: ModelConfig) -> None:
    """Raise ModelError with every reason why `target` cannot take its blocks from `start`."""
    same = ("hidden_size", "num_heads", "num_kv_heads", "intermediate_size", "context_length")
    reasons = [*_changed(start, target), *_differing(start, target, same)]
    if start.tie_embeddings != target.tie_embeddings:
        reasons.append(f"tie_embeddings {start.tie_embeddings} cannot change")
    if target.num_layers > start.num_layers:
        reasons.append(f"num_layers {target.num_layers} is more than {start.num_layers}")
    elif any(shape.num_layers % block_step(start) for shape in (start, target)):
        reasons.append("a banded model has to be an even number of layers, before and after")
    _refuse("shrink", start, target, reasons)


def block_step(shape: ModelConfig) -> int:
    """Return how many blocks belong together: two in a banded model, whose kinds alternate."""
    return 2 if shape.attention == "banded" else 1


def _refuse(verb: str, start: ModelConfig, target: ModelConfig, reasons: list[str]) -> None:
    if not reasons:
        return
    way = (
        "Put that right in the stage's `model`; what is left out there is taken from the start."
        if verb == "grow"
        else "A smaller student takes whole blocks from its start, so only num_layers may differ; "
        "leave out `from` to start it anew, and name the larger model in `teachers`."
    )
    raise ModelError(
        f"A {_words(start)} cannot {verb} into a {_words(target)}: {'; '.join(reasons)}. {way}"
    )


def _words(shape: ModelConfig) -> str:
    return (
        f"{shape.family} model of width {shape.hidden_size}, {shape.num_layers} layers and "
        f"vocabulary {shape.vocab_size}"
    )


def _changed(start: ModelConfig, target: ModelConfig) -> Iterator[str]:
    yield from _differing(start, target, _KEPT)
    if start.attention == target.attention == "banded":
        yield from _differing(start, target, ("band_width",))


def _differing(start: ModelConfig, target: ModelConfig, names: tuple[str, ...]) -> Iterator[str]:
    for name in names:
        before, after = _value(start, name), _value(target, name)
        if before != after:
            yield f"{name} {before} would become {after}"


def _value(shape: ModelConfig, name: str) -> object:
    resolved = {
        "head_dim": shape.resolved_head_dim,
        "num_kv_heads": shape.resolved_kv_heads,
        "intermediate_size": shape.resolved_intermediate_size,
    }
    return resolved.get(name, getattr(shape, name))


def _not_larger(start: ModelConfig, target: ModelConfig, depth: Depth) -> Iterator[str]:
    for name in ("hidden_size", "num_layers", "num_heads", "intermediate_size", "context_length"):
        before, after = getattr(start, name), getattr(target, name)
        if after < before:
            yield f"{name} {after} is less than {before}"
    if target.hidden_size % start.hidden_size:
        yield f"hidden_size {target.hidden_size} is no whole multiple of {start.hidden_size}"
    if start.family == "gpt2" and target.context_length > start.context_length:
        yield (
            f"context_length {target.context_length} is more than the {start.context_length} "
            "positions that the gpt2 family has learnt"
        )
    if target.tie_embeddings and not start.tie_embeddings:
        yield "tie_embeddings cannot begin where the head has weights of its own"
    yield from _heads_do_not_fit(start, target)
    yield from _layers_do_not_fit(start, target, depth)


def _heads_do_not_fit(start: ModelConfig, target: ModelConfig) -> Iterator[str]:
    inner = target.num_heads * target.resolved_head_dim
    if start.family in ("gpt2", "qwen2") and inner != target.hidden_size:
        yield (
            f"num_heads {target.num_heads} x head_dim {target.resolved_head_dim} is not "
            f"hidden_size {target.hidden_size}; leave num_heads out"
        )
    group = start.num_heads // start.resolved_kv_heads
    if target.resolved_kv_heads < start.resolved_kv_heads:
        yield f"num_kv_heads {target.resolved_kv_heads} is less than {start.resolved_kv_heads}"
    elif count_query_slots(start, target) < group:
        yield (
            f"the {target.num_heads} query heads over {target.resolved_kv_heads} key heads leave "
            f"no place for all {group} query heads of a key head"
        )


def _layers_do_not_fit(start: ModelConfig, target: ModelConfig, depth: Depth) -> Iterator[str]:
    if depth == "stack" and target.num_layers % start.num_layers:
        yield (
            f"num_layers {target.num_layers} is no whole multiple of {start.num_layers}, as "
            "depth = 'stack' needs"
        )
    step = block_step(start)
    if any(shape.num_layers % step for shape in (start, target)):
        yield "a banded model has to be an even number of layers, before and after"
