"""The expand stage: a model that has reached its level is frozen, and new tensors learn new text.

The starting release is the core. Its files are repeated as they are; beside them lies what was
learnt here, and core and expansion together are the model that is measured, that generates, and
that later stages start from. `hanlin.models.expansion` holds the methods and their papers.

What is promised is checked each time: that the expanded model begins with the core's outputs, and
that the release with its expansion switched off gives the core's, bit for bit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from hanlin.config import ExpandConfig
from hanlin.errors import HanlinError, ModelError
from hanlin.models import (
    Decoder,
    list_heads,
    load_release,
    read_learnt,
    save_expansion,
    save_release,
)
from hanlin.models.expansion import (
    Expansion,
    apply_expansion,
    begin_expansion,
    choose_expansion,
    extract_expansion,
    list_expansions,
)
from hanlin.objectives import NextToken
from hanlin.stages.card import model_card
from hanlin.stages.context import StageContext, StageResult
from hanlin.stages.forgetting import measure_forgetting
from hanlin.stages.learning import learn
from hanlin.stages.trigger import check_trigger, measure_bits
from hanlin.training import TrainingResult, choose_placement, join_world

__all__ = ["run_expand"]

_IDENTITY = 1e-5
"""How far the first logits may lie from the core's, in parts of the largest of these or of 1."""


def run_expand(context: StageContext) -> StageResult:
    """Expand the starting model on the stage's parts of the corpus, and release both together."""
    config = context.stage.expand or ExpandConfig()
    with join_world() as world:
        device = choose_placement(context.device, local_rank=world.local_rank).device
        place = world.on_first(lambda: _core_folder(context, config))
        core = load_release(place, expansion="", to_learn=True)
        world.on_first(lambda: _refuse_too_early(context, config, place, core))
        module = begin_expansion(core, config, _generator(context))
        rows = _rows(context, core)
        gap = _check_beginning(core, module, rows)
        before = {} if context.halts else world.on_first(lambda: _measure(context, core.to(device)))
        training = learn(context, module, NextToken(markers=context.markers))
        expansion = extract_expansion(module, config)
        model = apply_expansion(core.cpu(), expansion)
        world.on_first(lambda: _release(context, place, model, expansion, training))
        identical = world.on_first(lambda: _check_switch(context, core, rows))
        after = world.on_first(lambda: _measure(context, model.to(device)))
        changes = world.on_first(lambda: measure_forgetting(context, model))
    figures = {
        "expansion": {
            "name": _name(context),
            "method": config.method,
            **_sizes(module, expansion),
            "first_difference": gap,
            "switched_off_identical": identical,
            "bits_per_byte": {"before": before, "after": after},
        },
        **changes,
    }
    return StageResult(model=model.to(device), training=training, figures=figures)


def _core_folder(context: StageContext, config: ExpandConfig) -> Path:
    """Return the folder whose files are the core's: the starting release, or that merged."""
    assert context.start is not None, "an expand stage starts from a release"
    if config.over == "core" or not choose_expansion(context.start, None):
        return context.start
    merged = context.folder / "core"
    if heads := list_heads(context.start):
        context.say(
            f"The heads {', '.join(heads)} were learnt on the core before expansions were merged "
            "into it, and are left out"
        )
    save_release(
        merged,
        load_release(context.start, to_learn=True),
        tokenizer=context.tokenizer,
        sampling=context.recipe.sampling,
        learnt=read_learnt(context.start),
    )
    return merged


def _refuse_too_early(
    context: StageContext, config: ExpandConfig, place: Path, core: Decoder
) -> None:
    """Refuse a name that is taken, and a core that has not reached its level."""
    name = _name(context)
    if name in list_expansions(place):
        raise ModelError(
            f"The stage {context.stage.name!r} would put a second expansion {name!r} beside the "
            f"core in {place}. Set expand.name to another, or expand.over = 'merged'."
        )
    if config.trigger is not None:
        check_trigger(context, config.trigger, core)


def _name(context: StageContext) -> str:
    return (context.stage.expand.name if context.stage.expand else "") or context.stage.name


def _generator(context: StageContext) -> torch.Generator:
    return torch.Generator().manual_seed(context.recipe.seed)


def _rows(context: StageContext, core: Decoder) -> list[Tensor]:
    """Return a few held-out texts as rows (1, T) on which outputs are compared."""
    documents = context.held_out_documents("test")[:4]
    ids = [[context.tokenizer.eot_id, *document.ids.tolist()] for document in documents]
    length = core.config.context_length
    return [torch.tensor(row[:length])[None] for row in ids or [[context.tokenizer.eot_id]]]


@torch.no_grad()
def _check_beginning(core: Decoder, module: Decoder, rows: Sequence[Tensor]) -> float:
    """Return the largest difference of the first logits from the core's, which must be none."""
    pairs = [(core(row), module(row)) for row in rows]
    gap = max(float((ours - theirs).abs().max()) for theirs, ours in pairs)
    scale = max(1.0, *(float(theirs.abs().max()) for theirs, _ in pairs))
    if not gap <= _IDENTITY * scale:
        raise HanlinError(
            f"The expanded model does not begin with the core's outputs: a logit differs by {gap}. "
            "This is a fault of Hanlin; please report it with the recipe."
        )
    return gap


@torch.no_grad()
def _check_switch(context: StageContext, core: Decoder, rows: Sequence[Tensor]) -> bool:
    """Check that the release without its expansion gives the core's logits, bit for bit."""
    off = load_release(context.folder / "model", expansion="")
    if not all(torch.equal(off(row), core(row)) for row in rows):
        raise HanlinError(
            f"The release in {context.folder / 'model'} with its expansion switched off differs "
            "from the core. This is a fault of Hanlin; please report it with the recipe."
        )
    return True


def _release(
    context: StageContext,
    place: Path,
    model: Decoder,
    expansion: Expansion,
    training: TrainingResult,
) -> None:
    card = model_card(context, model, training)
    save_expansion(context.folder / "model", place, _name(context), expansion, card=card)


def _measure(context: StageContext, model: Decoder) -> Mapping[str, Any]:
    """Return test bits per byte by language, on the text of the stages before and on the new."""
    eot_id = context.tokenizer.eot_id
    return {
        age: measure_bits(model, context.held_out_documents("test", parts), eot_id)
        for age, parts in (("old", context.earlier_parts), ("new", context.parts))
    }


def _sizes(module: Decoder, expansion: Expansion) -> dict[str, float]:
    """Return how many parameters learnt, and their share of all."""
    total = sum(parameter.numel() for parameter in module.parameters())
    learnt = expansion.num_parameters
    return {"trained_parameters": learnt, "trained_share": learnt / total}
