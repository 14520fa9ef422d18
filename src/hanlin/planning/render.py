"""A plan as text for people: what, how much, how long, and on what that stands.

python -m hanlin.planning recipe.toml
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from hanlin.config import ModelConfig
from hanlin.planning.result import Plan, StagePlan
from hanlin.planning.units import count, duration, exact, power, share, size

__all__ = ["render"]

_LABELS = {"mlp": "MLP", "program": "Python and torch", "n-gram": "n-gram baseline"}


def render(plan: Plan) -> str:
    """Return a plan as lines of text, readable without colour."""
    lines = [f"Plan of {plan.name}", ""]
    lines += _model(plan)
    lines += _block("Corpus", [("", str(plan.corpus)), ("read from", _disk(plan))])
    for stage in plan.stages:
        lines += _stage(stage, plan)
    lines += _block("Memory", _memory(plan))
    lines += _block("Time", _time(plan))
    if plan.prices.given:
        lines += _block("Money", [("", plan.prices.describe(plan.seconds))])
    lines += _block("Stands on", [("", plan.basis), *(("", note) for note in plan.notes)])
    return "\n".join(lines).rstrip() + "\n"


def _model(plan: Plan) -> list[str]:
    total = sum(plan.parameters.values())
    parts = ", ".join(
        f"{_LABELS.get(name, name)} {count(number)}" for name, number in plan.parameters.items()
    )
    rows = [("", _shape(plan.model)), ("parameters", f"{count(total)} ({parts})")]
    return _block("Model", rows)


def _shape(shape: ModelConfig) -> str:
    return (
        f"{shape.family}, {shape.num_layers} layers of {shape.hidden_size}, {shape.num_heads} "
        f"heads, {exact(shape.vocab_size)} entries, {exact(shape.context_length)} tokens of context"
    )


def _stage(stage: StagePlan, plan: Plan) -> list[str]:
    besides = f", {power(stage.extra_flops)} of them for teachers, a reference or own text"
    other = [("model", _shape(stage.model))] if stage.model != plan.model else []
    cache = [("teacher cache", _cache(stage))] if stage.cache_bytes else []
    return _block(
        f"Stage {stage.name}",
        [
            *other,
            ("steps", f"{exact(stage.steps)} of {exact(stage.batch_tokens)} tokens"),
            ("tokens", f"{count(stage.tokens)}, the corpus {stage.epochs:.2g} times"),
            ("FLOPs", power(stage.flops) + (besides if stage.extra_flops else "")),
            ("speed", f"{_speed(stage.tokens_per_second)} tokens a second"),
            *cache,
        ],
    )


def _cache(stage: StagePlan) -> str:
    saved = power(stage.teaching_flops)
    return f"{size(stage.cache_bytes)} on disk; stages that find it there save {saved} of teachers"


def _memory(plan: Plan) -> Iterator[tuple[str, str]]:
    yield "at its peak", size(plan.peak_bytes)
    parts = sorted(plan.memory.items(), key=lambda item: -item[1])
    yield "by formula", ", ".join(f"{_LABELS.get(name, name)} {size(b)}" for name, b in parts)


def _time(plan: Plan) -> Iterator[tuple[str, str]]:
    yield "in all", duration(plan.seconds)
    for name, seconds in plan.phases.items():
        if seconds >= 0.05:
            part = share(seconds / max(1e-9, plan.seconds))
            yield _LABELS.get(name, name), f"{duration(seconds)} ({part})"


def _speed(tokens: float) -> str:
    return count(tokens) if tokens >= 10 else f"{tokens:.2g}"


def _disk(plan: Plan) -> str:
    if not plan.corpus.files:
        return "the toy world"
    files = "1 file" if plan.corpus.files == 1 else f"{exact(plan.corpus.files)} files"
    return f"{files}, {size(plan.corpus.bytes_on_disk)} on disk"


def _block(title: str, rows: Iterable[tuple[str, str]]) -> list[str]:
    lines = [title]
    lines += [f"  {name:<15} {text}" if name else f"  {text}" for name, text in rows]
    return [*lines, ""]
