"""`hanlin eval MODEL --text F... | --suite NAME`: how well a model predicts text, how new its own
is, and how often it finds the right choice the likeliest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from hanlin.cli._command import Loading, parse, show
from hanlin.cli._flags import Folder, ModelPath
from hanlin.cli._suites import measure_suites, render_suites
from hanlin.cli._text import read_text
from hanlin.errors import DataError, UserError

if TYPE_CHECKING:
    from hanlin.api import Model
    from hanlin.evaluation import HeldOutDocument, Scorer
    from hanlin.tokenizers import Tokenizer

__all__ = ["main"]


@dataclass(frozen=True, kw_only=True)
class Arguments(Loading):
    """Measure a model on text (bits per byte and next-character accuracy by language), on suites of
    questions with choices, minimal pairs and words to write, or on both."""

    model: ModelPath
    """A run, or a released folder (which has no n-gram model beside it)."""
    text: tuple[Path, ...] = ()
    """Files or folders of text that the model was not trained on."""
    blocks: bool = False
    """Blank lines part the documents inside a text file."""
    max_tokens: int = 500_000
    """Tokens a language that are scored at most."""
    samples: int = 20
    """Texts that the model writes, for repetition and, with a run, novelty; 0 for none."""
    suite: Annotated[tuple[str, ...], tyro.conf.arg(metavar="NAME|FILE")] = ()
    """Suites by name (such as blimp, zhoblimp, lambada, arc_easy, cmmlu), or JSON lines of one's
    own: `context`, `choices` and `answer`; `context` and `target`; or `good` and `bad`."""
    data: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None
    """The data of a suite."""
    data_dir: Folder = None
    """The folder of the suites' data; the environment's HANLIN_SUITES where it is left out."""
    shots: int = 0
    """Answered examples before each question, drawn from the suite and then not measured."""
    limit: int = 0
    """Items a suite that are drawn and measured; 0 for all."""


def main(arguments: Sequence[str]) -> int:
    """Run the verb."""
    example = "hanlin eval runs/demo --text notes.txt articles/"
    options = parse(Arguments, "eval", arguments, example=example)
    if not options.text and not options.suite:
        raise UserError("There is nothing to measure on. Give --text FILE..., or --suite NAME.")
    from hanlin import api
    from hanlin.evaluation import DecoderScorer, NgramScorer
    from hanlin.runs import RunFolder, load_ngram

    model = api.load(options.model, device=options.device, expansion=options.chosen_expansion)
    scorers: dict[str, Scorer] = {
        "gpt": DecoderScorer(model.decoder, eot_id=model.tokenizer.eot_id)
    }
    ngram = load_ngram(RunFolder(options.model))
    if ngram is not None:
        scorers["ngram"] = NgramScorer(ngram)
    result: dict[str, Any] = {}
    shown = []
    if options.text:
        result |= _measure_text(options, model, scorers)
        shown.append(_render(result))
    if options.suite:
        result |= measure_suites(
            scorers,
            model.tokenizer,
            options.suite,
            data=options.data,
            folder=options.data_dir,
            shots=options.shots,
            limit=options.limit,
        )
        shown.append(render_suites(result))
    show(options, result, "\n\n".join(shown))
    return 0


def _measure_text(
    options: Arguments, model: Model, scorers: Mapping[str, Scorer]
) -> dict[str, Any]:
    from hanlin.config import SamplingConfig
    from hanlin.evaluation import UniformScorer
    from hanlin.runs import RunFolder, describe_novelty, describe_samples, measure_scorers

    documents = _documents(options, model.tokenizer)
    compared = {**scorers, "uniform": UniformScorer(model.tokenizer.vocab_size)}
    result = measure_scorers(compared, model.tokenizer, documents, seed=1)
    if options.samples:
        completions = model.engine.generate_batch([""] * options.samples, SamplingConfig(seed=1))
        texts = [completion.text for completion in completions]
        result["repetition"] = describe_samples(texts)
        human = [document.text for document in read_text(options.text, blocks=options.blocks)]
        result["novelty"] = describe_novelty(RunFolder(options.model), texts, human)
    return result


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
