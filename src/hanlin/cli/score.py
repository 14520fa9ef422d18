"""`hanlin score MODEL T...`: a sentence's probability token by token, beside the n-gram's."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import tyro

from hanlin.cli._command import Loading, parse, show
from hanlin.cli._flags import ModelPath
from hanlin.errors import UserError

if TYPE_CHECKING:
    from hanlin.evaluation import SentenceScore

__all__ = ["main"]


@dataclass(frozen=True, kw_only=True)
class Arguments(Loading):
    """Show how probable a model finds each token of a sentence, beside the n-gram model's view."""

    model: ModelPath
    """A run, or a released folder (which has no n-gram model beside it)."""
    text: Annotated[tyro.conf.Positional[tuple[str, ...]], tyro.conf.arg(metavar="TEXT [TEXT ...]")]
    """The sentences."""


def main(arguments: Sequence[str]) -> int:
    """Run the verb."""
    example = "hanlin score runs/demo 小猫在公园里。 The cat is in the park."
    options = parse(Arguments, "score", arguments, example=example)
    if not options.text:
        raise UserError("There is no text to score. Give a sentence, in quotes.")
    from hanlin import api
    from hanlin.evaluation import DecoderScorer, NgramScorer, score_sentence
    from hanlin.runs import RunFolder, load_ngram

    model = api.load(options.model, device=options.device, expansion=options.chosen_expansion)
    ngram = load_ngram(RunFolder(options.model))
    gpt = DecoderScorer(model.decoder, eot_id=model.tokenizer.eot_id)
    other = NgramScorer(ngram) if ngram else None
    scores = [score_sentence(text, model.tokenizer, gpt, other) for text in options.text]
    result = {"sentences": [score.as_dict() for score in scores]}
    show(options, result, "\n\n".join(map(_table, scores)))
    return 0


def _table(score: SentenceScore) -> str:
    from rich.cells import cell_len

    names = [token.token.decode("utf-8", "backslashreplace") for token in score.tokens]
    width = max(len("token"), *(cell_len(repr(name)) for name in names)) if names else 5
    lines = [score.text, f"{'token':<{width}}  GPT p     n-gram p"]
    for name, token in zip(names, score.tokens, strict=True):
        shown = repr(name) + " " * (width - cell_len(repr(name)))
        lines.append(f"{shown}  {_probability(token.gpt)}  {_probability(token.ngram)}")
    size = len(score.text.encode("utf-8")) or 1
    lines.append(f"GPT {score.gpt_bits:.1f} bits, {score.gpt_bits / size:.3f} a byte")
    if score.ngram_bits is not None:
        lines.append(f"n-gram {score.ngram_bits:.1f} bits, {score.ngram_bits / size:.3f} a byte")
    return "\n".join(lines)


def _probability(logprob: float | None) -> str:

    return "-       " if logprob is None else f"{math.exp(logprob):<8.2g}"
