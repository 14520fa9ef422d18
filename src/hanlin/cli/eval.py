"""`hanlin eval MODEL --text F...`: how well a model predicts text, and how new its own is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tyro

from hanlin.cli._command import Loading, parse, show
from hanlin.cli._text import read_text
from hanlin.errors import DataError

if TYPE_CHECKING:
    from hanlin.evaluation import HeldOutDocument
    from hanlin.tokenizers import Tokenizer

__all__ = ["main"]


@dataclass(frozen=True, kw_only=True)
class Arguments(Loading):
    """Measure a model on text: bits per byte and next-character accuracy by language."""

    model: tyro.conf.Positional[Path]
    """A run, or a released folder (which has no n-gram model beside it)."""
    text: tuple[Path, ...]
    """Files or folders of text that the model was not trained on."""
    blocks: bool = False
    """Blank lines part the documents inside a text file."""
    max_tokens: int = 500_000
    """Tokens a language that are scored at most."""
    samples: int = 20
    """Texts that the model writes, for repetition and, with a run, novelty; 0 for none."""


def main(arguments: Sequence[str]) -> int:
    """Run the verb."""
    example = "hanlin eval runs/demo --text notes.txt articles/"
    options = parse(Arguments, "eval", arguments, example=example)
    from hanlin import api
    from hanlin.config import SamplingConfig
    from hanlin.evaluation import DecoderScorer, NgramScorer, Scorer, UniformScorer
    from hanlin.runs import (
        RunFolder,
        describe_novelty,
        describe_samples,
        load_ngram,
        measure_scorers,
    )

    model = api.load(options.model, device=options.device, expansion=options.chosen_expansion)
    documents = _documents(options, model.tokenizer)
    gpt = DecoderScorer(model.decoder, eot_id=model.tokenizer.eot_id)
    scorers: dict[str, Scorer] = {"gpt": gpt}
    ngram = load_ngram(RunFolder(options.model))
    if ngram is not None:
        scorers["ngram"] = NgramScorer(ngram)
    scorers["uniform"] = UniformScorer(model.tokenizer.vocab_size)
    result = measure_scorers(scorers, model.tokenizer, documents, seed=1)
    if options.samples:
        completions = model.engine.generate_batch([""] * options.samples, SamplingConfig(seed=1))
        texts = [completion.text for completion in completions]
        result["repetition"] = describe_samples(texts)
        human = [document.text for document in read_text(options.text, blocks=options.blocks)]
        result["novelty"] = describe_novelty(RunFolder(options.model), texts, human)
    show(options, result, _render(result))
    return 0


def _documents(options: Arguments, tokenizer: Tokenizer) -> list[HeldOutDocument]:
    from hanlin.evaluation import encode_documents

    found = encode_documents(
        tokenizer,
        read_text(options.text, blocks=options.blocks),
        tokens_per_language=options.max_tokens,
    )
    if not found:
        raise DataError(f"There is no text in {', '.join(map(str, options.text))}.")
    return found


def _render(result: dict[str, Any]) -> str:
    lines = [f"{'':<10} {'language':<8} bits/byte  bits/char  next character"]
    for name, languages in result["by_scorer"].items():
        for language, scores in languages.items():
            lines.append(
                f"{name:<10} {language:<8} {scores['bits_per_byte']:<9.4f}  "
                f"{scores['bits_per_character']:<9.3f}  {scores['next_character_accuracy']:.1%}"
            )
    for language, measures in result.get("repetition", {}).items():
        shown = ", ".join(f"{k} {v:.3g}" for k, v in measures.items() if v is not None)
        lines.append(f"repetition, {language}: {shown}")
    for name, measures in result.get("novelty", {}).items():
        shown = ", ".join(f"{k} {v:.3g}" for k, v in measures.items() if isinstance(v, float | int))
        lines.append(f"found in training, {name}: {shown}")
    return "\n".join(lines)
