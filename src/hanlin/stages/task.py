"""The task stage: several labelled tasks taught to one model at once, with plain text among them.

Rows of a task hold examples of that task alone; how often each comes is a matter of the mixture
(`hanlin.data.examples`). Each task is measured on examples that were kept apart, before and after;
a task with a head after alone (`hanlin.stages.heads`), since nothing says labels before.
What is measured beside them: how much of what the model replies is a sentence of the training
answers, and how much of the references is; and what became of the plain text, in bits per byte.
Pairs of replies of which one is preferred are taught by `hanlin.stages.preference`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from hanlin.config import ExpandConfig, TaskStageConfig
from hanlin.data import ExampleRows, Order, task_shares
from hanlin.generation import Engine
from hanlin.models import Decoder, step_flops_per_token
from hanlin.models.expansion import (
    apply_expansion,
    begin_expansion,
    extract_expansion,
)
from hanlin.objectives import Adversarial, Answers, Attackable, Objective, Rewriter
from hanlin.stages.attacked import measure_attacked
from hanlin.stages.context import StageContext, StageResult
from hanlin.stages.heads import Heads
from hanlin.stages.learning import learn, release
from hanlin.stages.mixing import plain_rows
from hanlin.stages.preference import run_preference
from hanlin.stages.trigger import measure_bits
from hanlin.tasks import TaskSet, gather_tasks
from hanlin.tokenizers import Tokenizer
from hanlin.training import TrainingResult, choose_placement, join_world

__all__ = ["run_task"]


def run_task(context: StageContext) -> StageResult:
    """Teach the starting model the stage's tasks, measure it on them, and release it."""
    config = context.stage.task
    assert config is not None, "a task stage has tasks"
    if config.preference is not None:
        return run_preference(context, config, config.preference)
    core = context.model()
    length = context.row_length(core)
    with join_world() as world:
        sets = gather_tasks(
            [task for task in config.tasks if task.head is None],
            context.tokenizer,
            length,
            num_held_out=config.held_out,
            processes=None if world.size == 1 else 1,  # every process gathers its own
        )
        _say(context, sets)
        heads = Heads.gather(context, config, core, length)
        device = choose_placement(context.device, local_rank=world.local_rank).device
        before: Mapping[str, Any] = {}
        if not context.halts:
            before = world.on_first(lambda: _measure(context, core.to(device), sets))
        order, shares = _order(context, config, sets, heads, length)
        model, training, extra = _train(context, config, core.cpu(), order, heads)
        after = world.on_first(lambda: _measure(context, model.to(device), sets))
        taught = world.on_first(lambda: heads.measure(context, model, length))
        attacked = world.on_first(lambda: measure_attacked(context, model, sets, heads, taught))
    released = release(context, model, training, heads.released(context, config, model, taught))
    figures = {
        "tasks": {
            task.config.name: {
                "examples": task.rows.num_examples,
                "too_long": task.too_long,
                "skipped": len(task.skipped),
                "share": shares[task.config.name],
                "before": before["tasks"][task.config.name],
                "after": after["tasks"][task.config.name],
            }
            for task in sets
        }
        | {one.name: {"share": shares[one.name], **one.figures} for one in taught},
        **({"attacked": attacked} if attacked else {}),
        "plain_text": {"before": before["text"], "after": after["text"]},
        "read_tokens": order.rows_per_step * length * training.steps,
        "extra_flops": extra,
    }
    return StageResult(
        model=released.model, training=training, figures={**released.figures, **figures}
    )


def _order(
    context: StageContext,
    config: TaskStageConfig,
    sets: Sequence[TaskSet],
    heads: Heads,
    length: int,
) -> tuple[Order, dict[str, float]]:
    """Return the rows of all tasks and of plain text, and each task's share of the rows."""
    rows: dict[str, ExampleRows] = {task.config.name: task.rows for task in sets}
    rows |= {one.config.name: one.rows for one in heads.sets}
    parts = task_shares(
        rows,
        weights={task.name: task.weight for task in config.tasks},
        caps={task.name: task.cap for task in config.tasks},
        temperature=config.temperature,
    )
    replay = config.replayed
    shares = {name: part * (1 - replay) for name, part in parts.items()}
    text, natural = plain_rows(context, length) if replay else ({}, {})
    plain = {name: replay * share for name, share in natural.items()}
    order = Order.mixed(
        {**{f"task/{name}": one for name, one in rows.items()}, **text},
        shares={**{f"task/{name}": share for name, share in shares.items()}, **plain},
        rows_per_step=context.stage.learning.batch_tokens // length,
        seed=context.recipe.seed,
    )
    return order, shares


def _train(
    context: StageContext, config: TaskStageConfig, core: Decoder, order: Order, heads: Heads
) -> tuple[Decoder, TrainingResult, int]:
    """Train all weights, corrections, or heads alone; return also the operations beyond the
    targets' own."""
    answers = Answers(eot_id=context.tokenizer.eot_id)
    objective = _under_attack(config, heads.objective(config, answers), context.tokenizer)
    length = context.row_length(core)

    def teach(module: Decoder) -> TrainingResult:
        with heads.on(module):
            return learn(context, module, objective, order, is_text=False)

    model = core
    if config.method == "full":
        training, cost = teach(core), step_flops_per_token(core, length)
    elif config.method == "frozen":
        training = teach(core.requires_grad_(False))
        cost = step_flops_per_token(core, length)
        core.requires_grad_()
    else:
        settings = ExpandConfig(method="lora", rank=config.rank, alpha=config.alpha)
        generator = torch.Generator().manual_seed(context.recipe.seed)
        module = begin_expansion(core, settings, generator)
        training = teach(module)
        cost = step_flops_per_token(module, length)
        model = apply_expansion(core, extract_expansion(module, settings))
    # Tokens that are only read cost what the others do, and so does padding.
    read = order.rows_per_step * length * training.steps
    passes = config.adversarial.passes if config.adversarial else 1
    return model, training, round(read * cost * passes) - training.flops


def _under_attack(
    config: TaskStageConfig, objective: Attackable[Any], tokenizer: Tokenizer
) -> Objective[Any]:
    """Return the objective, under attack where the recipe asks for it."""
    attack = config.adversarial
    if attack is None or (attack.method == "none" and not attack.rewrites):
        return objective
    rewriter = Rewriter(objective, tokenizer, attack) if attack.rewrites else None
    return Adversarial(objective, attack, rewriter)


def _measure(context: StageContext, model: Decoder, sets: Sequence[TaskSet]) -> Mapping[str, Any]:
    """Return each task's figures by group, and test bits per byte of the plain text."""
    engine = Engine(model, context.tokenizer)
    documents = context.held_out_documents("test")
    return {
        "tasks": {task.config.name: _measure_task(engine, task) for task in sets},
        "text": measure_bits(model, documents, context.tokenizer.eot_id),
    }


def _measure_task(engine: Engine, task: TaskSet) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for group, examples in task.held_out.items():
        measured = task.task.measure(engine, examples)
        found[group] = {
            **measured.figures,
            "copied": _copied(measured.replies, task.answers),
            "copied_references": _copied(measured.references, task.answers),
        }
    return found


def _copied(texts: Sequence[str], answers: frozenset[str]) -> float | None:
    """Return the share of texts that stand among the training answers from end to end."""
    return sum(text in answers for text in texts) / len(texts) if texts else None


def _say(context: StageContext, sets: Sequence[TaskSet]) -> None:
    for task in sets:
        held = sum(map(len, task.held_out.values()))
        left_out = f", {task.too_long:,} too long for a row" if task.too_long else ""
        context.say(
            f"Task {task.config.name}: {task.rows.num_examples:,} examples in "
            f"{task.rows.num_rows:,} rows, {held:,} kept apart{left_out}"
        )
        if task.skipped:
            context.say(f"Skipped {len(task.skipped):,} records; the first: {task.skipped[0]}")
