"""The distil stage: a model that starts from another, and learns from teachers beside the text.

    parent   kind = "language" or "distil", no teachers: a large model
    teacher  kind = "distil", teachers = ["parent"], smaller: fresh, or every k-th block of `from`
    student  kind = "distil", from = "teacher", teachers = ["teacher"], larger: grown

What it starts with follows from `from` and the stage's `model`: the same shape goes on, a larger
one grows, one with fewer layers keeps some of them; without `from` the weights are fresh.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from hanlin.config import DistilConfig, ModelConfig, TrainingConfig
from hanlin.errors import ModelError, TokenizerError
from hanlin.models import (
    Decoder,
    flops_per_token,
    forward_flops_per_token,
    load_release,
    read_config,
)
from hanlin.models.growth import grow, shrink, target_shape
from hanlin.objectives import Bridges, Distillation
from hanlin.stages.caching import cache_targets, taught_steps
from hanlin.stages.context import StageContext, StageResult
from hanlin.stages.learning import learn, release
from hanlin.stages.mixing import reading_order
from hanlin.stages.trigger import measure_bits
from hanlin.tokenizers import Tokenizer, load_tokenizer
from hanlin.training import join_world

__all__ = ["check_context", "check_tokenizer", "run_distil", "teaching_flops"]


def run_distil(context: StageContext) -> StageResult:
    """Train a decoder on text and on what its teachers make of it, and release it.

    Raises:
        TokenizerError: a teacher, or the start, reads other tokens than the run.
        ModelError: the start cannot take the stage's shape, or a teacher does not fit.
    """
    config = context.stage.distil or DistilConfig()
    for folder in (*context.teachers, *([context.start] if context.start else [])):
        check_tokenizer(folder, context.tokenizer)
    student = _begin(context, config)
    teachers = context.teachers if config.teaches else ()
    for folder in teachers:
        _check_teacher(folder, read_config(folder), student, context.row_length(student))
    objective, bridges = _lessons(context, config, teachers, student)
    with bridges.attached(student):
        training = learn(context, student, objective)
    released = release(context, student, training)
    models = objective.teachers or (load_release(folder) for folder in teachers)
    with join_world() as world:
        figures = world.on_first(lambda: _figures(context, config, models, student))
    if objective.cached is not None:
        figures["teacher_cache"] = objective.cached.as_dict()
    return replace(released, figures={**released.figures, **figures})


def check_tokenizer(folder: Path, tokenizer: Tokenizer) -> None:
    """Raise TokenizerError unless the release in `folder` reads the same tokens."""
    theirs = load_tokenizer(folder)
    if theirs.fingerprint == tokenizer.fingerprint:
        return
    raise TokenizerError(
        f"{folder} has a {theirs.kind} tokenizer of {theirs.vocab_size:,} entries "
        f"({theirs.fingerprint[:12]}), and the run has another: {tokenizer.kind}, "
        f"{tokenizer.vocab_size:,} entries ({tokenizer.fingerprint[:12]}). A student and its "
        f"teachers share every token; set tokenizer.path = {str(folder)!r} in a new run."
    )


def check_context(name: str, teacher: ModelConfig, length: int) -> None:
    """Raise ModelError unless a teacher can read training rows of `length` tokens."""
    if teacher.context_length < length:
        raise ModelError(
            f"The teacher {name} reads {teacher.context_length} tokens, and the rows of this "
            f"stage have {length}. Set the stage's model.context_length to "
            f"{teacher.context_length} or less."
        )


def _begin(context: StageContext, config: DistilConfig) -> Decoder:
    """Return the student as training begins with it."""
    model = context.model()
    if context.start is None or context.stage.model is None:
        return model
    shape = target_shape(context.stage.model, model.config)
    if shape.num_layers < model.config.num_layers:
        return shrink(model, shape)
    generator = torch.Generator().manual_seed(context.recipe.seed)
    return grow(model, shape, depth=config.depth, generator=generator)


def _lessons(
    context: StageContext, config: DistilConfig, folders: Sequence[Path], student: Decoder
) -> tuple[Distillation, Bridges]:
    """Return what is minimised, with its teachers loaded or their targets on disk."""
    if folders and config.cache_top_k:
        length = context.row_length(student)
        cached = cache_targets(
            context,
            config,
            reading_order(context, length),
            lambda: [load_release(folder) for folder in folders],
            length=length,
            vocab_size=student.config.vocab_size,
        )
        bridges = _bridges(context, config, [], student)
        return Distillation([], config, bridges, cached=cached), bridges
    teachers = [load_release(folder) for folder in folders]
    bridges = _bridges(context, config, teachers, student)
    return Distillation(teachers, config, bridges, markers=context.markers), bridges


def _check_teacher(folder: Path, theirs: ModelConfig, student: Decoder, length: int) -> None:
    ours = student.config
    if theirs.vocab_size != ours.vocab_size:
        raise ModelError(
            f"The teacher {folder} has {theirs.vocab_size} rows in its vocabulary and the student "
            f"{ours.vocab_size}. Leave vocab_size out of the stage's `model`."
        )
    check_context(str(folder), theirs, length)


def _bridges(
    context: StageContext, config: DistilConfig, teachers: list[Decoder], student: Decoder
) -> Bridges:
    """Return the learnt maps from the first teacher; empty without one."""
    shape: ModelConfig = teachers[0].config if teachers else student.config
    wanted = config if teachers else DistilConfig(soft=0)
    generator = torch.Generator().manual_seed(context.recipe.seed + 1)
    return Bridges(shape, student.config, wanted, generator)


def teaching_flops(
    config: DistilConfig,
    training: TrainingConfig,
    teachers: Sequence[ModelConfig],
    ours: ModelConfig,
    length: int,
) -> tuple[int, int]:
    """Return what teachers read, in tokens, and what it costs: until their share of the steps ends.

    With text of its own, the student writes each row and learns from it, and they read it again.
    """
    taught = taught_steps(config, training.num_steps) if teachers else 0
    tokens = taught * (training.batch_tokens // length) * length
    reads = 2 if config.on_policy else 1
    flops = sum(reads * tokens * forward_flops_per_token(shape, length) for shape in teachers)
    if config.on_policy:
        flops += tokens * (forward_flops_per_token(ours, length) + flops_per_token(ours, length))
    return reads * tokens * len(teachers), flops


def _figures(
    context: StageContext, config: DistilConfig, teachers: Iterable[Decoder], student: Decoder
) -> dict[str, Any]:
    """Return what the teachers cost, and the best of them on the test text of each language."""
    documents, eot_id = context.held_out_documents("test"), context.tokenizer.eot_id
    device = student.embedding.weight.device
    shapes, found = [], []
    for teacher in teachers:
        shapes.append(teacher.config)
        found.append(measure_bits(teacher.to(device), documents, eot_id))
    read, flops = teaching_flops(
        config, context.training, shapes, student.config, context.row_length(student)
    )
    best = {
        language: {"bits_per_byte": min(bits[language] for bits in found)}
        for language in (found[0] if found else ())
    }
    return {"teacher_tokens": read, "extra_flops": flops, "teacher": best}
