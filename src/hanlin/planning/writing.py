"""A fitted recipe as TOML with a comment for every choice.

python -m hanlin.planning.writing FILE_OR_FOLDER...
"""

from __future__ import annotations

import json
import math
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path

from hanlin.config import Recipe, SourceConfig, parse_recipe
from hanlin.planning.fitting import Fit, fit_to_machine
from hanlin.planning.measures import Measures, plan_measures
from hanlin.planning.own_text import first_words
from hanlin.planning.units import count, duration, exact, size

__all__ = ["fit_recipe", "recipe_text", "write_recipe"]

_SAVE_SECONDS = 90.0


def recipe_text(
    paths: Sequence[Path],
    *,
    name: str = "my-model",
    minutes: float = 30.0,
    memory_gb: float | None = None,
) -> str:
    """Return a commented recipe for someone's own text, sized to it and to this machine.

    Args:
        paths: files and folders of text.
        name: the recipe's name.
        minutes: how long training may take.
        memory_gb: memory that it may use; by default 70 % of what is free.

    Raises:
        DataError: a path is missing, holds no readable text, or far too little of it.
    """
    return write_recipe(fit_to_machine(paths, minutes=minutes, memory_gb=memory_gb), name)


def fit_recipe(
    paths: Sequence[Path],
    *,
    name: str = "my-model",
    minutes: float = 30.0,
    memory_gb: float | None = None,
) -> Recipe:
    """Return the recipe that `recipe_text` writes."""
    text = recipe_text(paths, name=name, minutes=minutes, memory_gb=memory_gb)
    return parse_recipe(tomllib.loads(text), where="the recipe for this text")


def write_recipe(fit: Fit, name: str) -> str:
    """Return a fit as commented TOML that `load_recipe` reads back."""
    lines = [
        *_head(fit, name),
        *_corpus(fit),
        *_tokenizer(fit),
        *_model(fit),
        *_stage(fit),
        *_evaluation(fit),
    ]
    return "\n".join(lines) + "\n"


def _head(fit: Fit, name: str) -> Iterator[str]:
    yield "# Written for this text and this machine. Every value may be changed; what it will then"
    yield "# take says `hanlin plan`, and `hanlin run` starts it or goes on with it."
    yield f"name = {_quote(_clean_name(name))}"
    yield "seed = 1"
    prompts = ", ".join(_quote(prompt) for prompt in _prompts(fit))
    yield f"prompts = [{prompts}]  # of the samples; an empty one starts a new document"


def _corpus(fit: Fit) -> Iterator[str]:
    yield ""
    yield f"# {fit.corpus}, judging by a sample of {size(fit.corpus.sample_bytes)}."
    yield "[corpus]"
    share = fit.held_out_share
    held_out = f"{max(1, round(share * fit.corpus.documents))} documents are held out for each"
    yield f"validation_share = {share}  # {held_out}"
    yield f"test_share = {share}"
    for source in fit.sources:
        yield from _source(source)
    if not fit.cleaning.quality:
        yield ""
        yield "[corpus.cleaning]"
        yield "quality = false  # the rules for prose would have dropped most of this text"


def _source(source: SourceConfig) -> Iterator[str]:
    yield ""
    yield "[[corpus.sources]]"
    yield f"name = {_quote(source.name)}"
    yield f"path = {_quote(source.path)}"
    if source.field != "text":
        yield f"field = {_quote(source.field)}  # of the records, the one that holds the text"


def _tokenizer(fit: Fit) -> Iterator[str]:
    length = fit.corpus.train_bytes / fit.epoch_tokens
    yield ""
    yield "# An entry for each 300 bytes of text at most, so that each is seen often. A token"
    yield f"# then holds about {length:.1f} bytes, and the text {count(fit.epoch_tokens)} tokens."
    yield "[tokenizer]"
    yield 'kind = "bpe"'
    yield f"vocab_size = {fit.vocab_size}"


def _model(fit: Fit) -> Iterator[str]:
    from hanlin.models import count_parameters

    parameters = count_parameters(fit.model)
    weights = parameters.non_embedding + fit.model.vocab_size * fit.model.hidden_size
    yield ""
    yield "# The largest size that is given about 8 useful tokens or more for each weight that"
    yield "# multiplies (a text counts at most 4 times); the smallest one where none is."
    yield f"# {count(parameters.total)} parameters, {fit.tokens / weights:.0f} tokens a weight."
    yield "[model]"
    yield f'preset = "{fit.preset}"'
    yield f"context_length = {fit.model.context_length}"
    if fit.model.dropout:
        yield f"dropout = {fit.model.dropout}  # the text is read {fit.epochs:.0f} times"


def _stage(fit: Fit) -> Iterator[str]:
    steps, speed = fit.steps, fit.batch_tokens / fit.speed.step_seconds
    why = (
        "16 times through the text; more would teach next to nothing"
        if fit.limited_by_text
        else f"what {fit.minutes:g} {'minute allows' if fit.minutes == 1 else 'minutes allow'}"
    )
    measures = _measures(fit)
    save = _interval(_SAVE_SECONDS / fit.speed.step_seconds)
    yield ""
    yield "[[stages]]"
    yield 'name = "base"'
    yield 'kind = "language"'
    yield ""
    yield f"# {exact(speed)} tokens a second were measured here ({fit.speed.placement}), so these"
    yield f"# {count(fit.tokens)} tokens take {duration(fit.tokens / speed)}: {why}."
    yield "[stages.training]"
    yield f"steps = {steps}  # the text is read {fit.epochs:.2g} times"
    yield f"batch_tokens = {fit.batch_tokens}  # a step; fewer where there would be under 300 steps"
    yield f"log_every = {_interval(steps / 100)}"
    yield f"eval_every = {measures.eval_every}  # evaluations take about 6 % of the time"
    yield f"eval_tokens = {measures.eval_tokens}  # a language"
    yield f"sample_every = {measures.sample_every}"
    yield ""
    yield "[stages.training.checkpoint]"
    yield f"every_steps = {save}  # about every {duration(save * fit.speed.step_seconds)}"


def _evaluation(fit: Fit) -> Iterator[str]:
    yield ""
    measures = _measures(fit)
    yield "# At the end, in about 15 % of the time that training takes."
    yield "[evaluation]"
    yield f"test_tokens = {measures.test_tokens}  # held-out tokens a language that are scored"
    yield f"samples = {measures.samples}  # texts written without a prompt"
    yield f"greedy = {measures.greedy}  # beginnings a language that are continued greedily"


def _measures(fit: Fit) -> Measures:
    languages = sum(part > 0.005 for part in fit.corpus.shares.values())
    return plan_measures(
        fit.steps, fit.batch_tokens, fit.speed, languages=languages, prompts=len(_prompts(fit))
    )


def _prompts(fit: Fit) -> list[str]:
    """Return an empty prompt, and the beginning of a text in each language that counts."""
    wanted = [language for language, part in fit.corpus.shares.items() if part > 0.1]
    prompts: dict[str, str] = {}
    for text in fit.corpus.text:
        words = first_words(text)
        language = "zh" if any("\u3400" <= letter <= "\u9fff" for letter in words) else "en"
        if language in wanted and words.strip():
            prompts.setdefault(language, words)
    return ["", *prompts.values()]


def _clean_name(name: str) -> str:
    """Return a name that a recipe may have."""
    kept = "".join(letter if letter.isascii() and letter.isalnum() else "-" for letter in name)
    return kept.strip("-") or "my-model"


def _interval(steps: float) -> int:
    """Return the largest of 1, 2, 5, 10, 20, 50 ... that is not above a number of steps.

    >>> [_interval(steps) for steps in (0.3, 7.5, 75, 190)]
    [1, 5, 50, 100]
    """
    unit = 10 ** max(0, math.floor(math.log10(max(1.0, steps))))
    return int(unit * max(factor for factor in (1, 2, 5) if factor * unit <= max(1.0, steps)))


def _quote(text: str) -> str:
    # A JSON string is a basic string of TOML, but for the delete character.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


if __name__ == "__main__":
    import sys

    print(recipe_text([Path(argument) for argument in sys.argv[1:]]))
