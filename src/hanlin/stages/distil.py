"""The distil stage: a model that starts from another, and learns from teachers beside the text.

    parent   kind = "language" or "distil", no teachers: a large model
    teacher  kind = "distil", teachers = ["parent"], smaller: fresh, or every k-th block of `from`
    student  kind = "distil", from = "teacher", teachers = ["teacher"], larger: grown

What it starts with follows from `from` and the stage's `model`: the same shape goes on, a larger
one grows, one with fewer layers keeps some of them; without `from` the weights are fresh.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from hanlin.config import DistilConfig, ModelConfig, TrainingConfig
from hanlin.errors import ModelError, TokenizerError
from hanlin.models import Decoder, flops_per_token, forward_flops_per_token, load_release
from hanlin.models.growth import grow, shrink, target_shape
from hanlin.objectives import Bridges, Distillation
from hanlin.stages.context import StageContext, StageResult
from hanlin.stages.learning import learn, release
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
    teachers = [load_release(folder) for folder in context.teachers] if config.teaches else []
    student = _begin(context, config)
    for folder, teacher in zip(context.teachers, teachers, strict=False):
        _check_teacher(folder, teacher, student, context.row_length(student))
    bridges = _bridges(context, config, teachers, student)
    with bridges.attached(student):
        training = learn(
            context, student, Distillation(teachers, config, bridges, markers=context.markers)
        )
    released = release(context, student, training)
    with join_world() as world:
        figures = world.on_first(lambda: _figures(context, config, teachers, student))
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


def _check_teacher(folder: Path, teacher: Decoder, student: Decoder, length: int) -> None:
    theirs, ours = teacher.config, student.config
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
    steps = training.num_steps
    taught = sum(config.share_at(step / steps) > 0 for step in range(steps)) if teachers else 0
    tokens = taught * (training.batch_tokens // length) * length
    reads = 2 if config.on_policy else 1
    flops = sum(reads * tokens * forward_flops_per_token(shape, length) for shape in teachers)
    if config.on_policy:
        flops += tokens * (forward_flops_per_token(ours, length) + flops_per_token(ours, length))
    return reads * tokens * len(teachers), flops


def _figures(
    context: StageContext, config: DistilConfig, teachers: Sequence[Decoder], student: Decoder
) -> dict[str, Any]:
    """Return what the teachers cost, and the best of them on the test text of each language."""
    shapes = [teacher.config for teacher in teachers]
    read, flops = teaching_flops(
        config, context.training, shapes, student.config, context.row_length(student)
    )
    documents, eot_id = context.held_out_documents("test"), context.tokenizer.eot_id
    device = student.embedding.weight.device
    found = [measure_bits(teacher.to(device), documents, eot_id) for teacher in teachers]
    best = {
        language: {"bits_per_byte": min(bits[language] for bits in found)}
        for language in (found[0] if found else ())
    }
    return {"teacher_tokens": read, "extra_flops": flops, "teacher": best}
