"""`hanlin attack MODEL --data F`: a classifier, or a task that writes, clean and under attack."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from hanlin.cli._command import Loading, parse, say, show
from hanlin.cli._flags import ModelPath
from hanlin.errors import DataError, UserError

if TYPE_CHECKING:
    from hanlin.api import Model
    from hanlin.attacks import Victim
    from hanlin.config import AttackFamily
    from hanlin.tasks import Labelled

__all__ = ["main"]


@dataclass(frozen=True, kw_only=True)
class Arguments(Loading):
    """Attack a model that classifies, and say how often it can be fooled.

    Takes a model with a head, or one that was taught `classify`; with --task, one that was taught
    to write, and says how far its figures fall.
    """

    model: ModelPath
    """A released folder or a run."""
    data: Path
    """Records with `text` and `label`, or those of the task (.json, .jsonl, packed or not), that
    training never saw."""
    task: str = ""
    """A task that writes: translate, summarize, dialogue; left out, a classifier is attacked."""
    family: str = ""
    """Families of attacks, parted by commas; left out, all those of the languages in the data.
    Several are tried one by one, and then together."""
    head: str = ""
    """The head, by name; the only one need not be named."""
    label: str = "label"
    """The field of a record that holds its label."""
    budget: float = 0.2
    """The share of a text's characters (Chinese) or words (English) that may be changed."""
    queries: int | None = None
    """How many changed texts the model may be asked about for each text; left out, 200, or 8 of
    those that a task reads."""
    search: Literal["deletion", "gradient", "random"] = "deletion"
    """How places are ranked: by leaving each out (black box), by the gradient, or by chance."""
    limit: int = 200
    """Texts that are attacked at most, the first of the file; of a task, by language."""
    seed: int = 1
    """The seed of all chance."""
    out: Path | None = None
    """A file that the adversarial examples are written to, one JSON object a line."""


def main(arguments: Sequence[str]) -> int:
    """Run the verb."""
    example = (
        "hanlin attack runs/taught --data reviews.jsonl --family sound,shape --out found.jsonl"
    )
    options = parse(Arguments, "attack", arguments, example=example)
    _check(options)
    from hanlin import api

    model = api.load(options.model, device=options.device, expansion=options.chosen_expansion)
    if options.task:
        result = _attack_task(options, model)
        show(options, result, _task_words(result))
    else:
        result = _attack_classifier(options, model)
        show(options, result, _words(result))
    return 0


def _attack_classifier(options: Arguments, model: Model) -> dict[str, Any]:
    from hanlin.attacks import Budget
    from hanlin.evaluation import measure_robustness
    from hanlin.records import write_text

    examples = _read(options)
    attacks = _attacks(options.family, {one.language for one in examples})
    victim = _victim(model, options.head, examples)
    usable = [(one.text, one.label) for one in examples if one.label in victim.labels]
    fitting = [pair for pair in usable if victim.fits(pair[0])]
    chosen = fitting[: options.limit]
    if not chosen:
        raise DataError(
            f"None of the {len(examples)} texts of {options.data} can be attacked: "
            f"{len(examples) - len(usable)} have a label that the model never learnt, and "
            f"{len(usable) - len(fitting)} are too long for it."
        )
    budget = Budget(options.budget, options.queries or 200)
    report = measure_robustness(
        victim,
        chosen,
        attacks,
        budget,
        seed=options.seed,
        ranking=options.search,
        progress=say,
    )
    found = list(report.found())
    if options.out is not None:
        lines = [json.dumps(one, ensure_ascii=False) for one in found]
        write_text(options.out, "".join(f"{line}\n" for line in lines))
    return {
        "texts": len(chosen),
        "unseen_labels": len(examples) - len(usable),
        "too_long": len(usable) - len(fitting),
        "search": options.search,
        "budget": {"changed": budget.changed, "queries": budget.queries},
        **report.as_dict(),
        "found": len(found),
    }


def _attack_task(options: Arguments, model: Model) -> dict[str, Any]:
    from hanlin.attacks import Budget
    from hanlin.tasks import TASKS, attack_task, read_records

    if options.task not in TASKS:
        raise UserError(f"There is no task {options.task!r}; there are {', '.join(TASKS)}.")
    task = TASKS[options.task]
    model.check_taught(task.name)
    groups: dict[str, list[Any]] = {}
    for record in read_records(options.data):
        for example in task.read(record):
            groups.setdefault(task.language(example), []).append(example)
    budget = Budget(options.budget, options.queries or 8)
    measured: dict[str, Any] = {}
    for group, examples in groups.items():
        for name, families in _attacks(options.family, {group[:2]}).items():
            say(f"{group}: {name}")
            measured.setdefault(group, {})[name] = attack_task(
                model.engine,
                task,
                examples[: options.limit],
                families,
                budget,
                seed=options.seed,
            )
    return {
        "task": task.name,
        "budget": {"changed": budget.changed, "queries": budget.queries},
        "by_group": measured,
    }


def _check(options: Arguments) -> None:
    if not 0 < options.budget <= 1:
        raise UserError(
            f"--budget {options.budget:g} is no share; give a number above 0 and up to 1."
        )
    for name in ("queries", "limit"):
        value = getattr(options, name)
        if value is not None and value < 1:
            raise UserError(f"--{name} {value} allows nothing; give at least 1.")
    if options.task and options.out is not None:
        raise UserError("--out keeps what fools a classifier; leave it out with --task.")


def _read(options: Arguments) -> list[Labelled]:
    from hanlin.tasks import read_labelled, read_records

    found = [read_labelled(record, options.label) for record in read_records(options.data)]
    if any(one.text2 for one in found):
        raise DataError(
            f"{options.data} holds pairs of texts; only single texts can be attacked. Leave out "
            "`text2`."
        )
    return found


def _attacks(names: str, languages: set[str]) -> dict[str, Sequence[AttackFamily]]:
    """Return the families one by one, and together where there are several."""
    from hanlin.attacks import CHINESE, ENGLISH, check_families, choose_families

    given = [name.strip() for name in names.split(",") if name.strip()]
    if not given:
        given += CHINESE if "zh" in languages else ()
        given += ENGLISH if languages - {"zh"} else ()
    families = choose_families(given)
    check_families(families)
    together = {"together": families} if len(families) > 1 else {}
    return {**{family: (family,) for family in families}, **together}


def _victim(model: Model, head: str, examples: Sequence[Labelled]) -> Victim:
    """Return the model's classifier: a head, or else labels that are written out."""
    from hanlin.tasks import HeadVictim, LabelVictim

    if head or model.heads:
        return HeadVictim(model.decoder, model.tokenizer, model.released_head(head))
    model.check_taught("classify")
    labels = sorted({one.label for one in examples})
    return LabelVictim(model.decoder, model.tokenizer, labels)


def _words(result: dict[str, Any]) -> str:
    lines = [
        f"{result['texts']} texts, {result['clean']['value']:.1%} read rightly before any attack",
        f"{'attack':<12} accuracy  fooled  queries  changed",
    ]
    for name, figures in result["by_attack"].items():
        success, changed = figures["success"]["value"], figures["changed"]
        queries = figures["queries"]
        lines.append(
            f"{name:<12} {figures['accuracy']['value']:>8.1%}"
            f"  {'-' if success is None else format(success, '.1%'):>6}"
            f"  {'-' if queries is None else format(queries, '.1f'):>7}"
            f"  {'-' if changed is None else format(changed, '.1%'):>7}"
        )
    return "\n".join(lines)


def _task_words(result: dict[str, Any]) -> str:
    """Return the figures that fell or rose, one a line: clean, by chance, at the worst."""
    lines = [f"{'':<34}    clean   chance    worst"]
    for group, attacks in result["by_group"].items():
        for name, figures in attacks.items():
            for key, clean in figures["clean"].items():
                values = [figures[way].get(key) for way in ("clean", "chance", "worst")]
                if isinstance(clean, float) and all(value is not None for value in values):
                    shown = " ".join(f"{value:>8.3f}" for value in values)
                    lines.append(f"{f'{group}, {name}, {key}':<34} {shown}")
    return "\n".join(lines)
