"""What `quantize` and `prune` share: text, true sizes, and how far the smaller model drifts."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hanlin.cli._beside import render_left_behind
from hanlin.cli._command import Loading, say
from hanlin.cli._flags import ModelPath, OutPath
from hanlin.cli._text import read_text, run_text
from hanlin.errors import DataError

if TYPE_CHECKING:
    from torch import Tensor

    from hanlin.api import Model
    from hanlin.evaluation import HeldOutDocument
    from hanlin.models import Decoder
    from hanlin.text import Split
    from hanlin.tokenizers import Tokenizer

__all__ = ["Shrinking", "calibration", "compare", "render", "sizes"]


@dataclass(frozen=True, kw_only=True)
class Shrinking(Loading):
    """Options of verbs that make a model smaller."""

    model: ModelPath
    """A run, or a released folder."""
    out: OutPath
    """The folder to write; written over only if this verb made it."""
    calibration: tuple[Path, ...] = ()
    """Text that shows what the model's layers meet in use; a run's training text if left out."""
    calibration_rows: int = 128
    """Rows of calibration text, each as long as the model's context."""
    text: tuple[Path, ...] = ()
    """Text to compare both models on; a run's test split if left out."""
    blocks: bool = False
    """Blank lines part the documents inside a text file."""
    max_tokens: int = 100_000
    """Tokens a language that are compared at most."""


def calibration(options: Shrinking, model: Model) -> Tensor | None:
    """Return calibration rows (R, T), or None where there is no text for them.

    Raises:
        DataError: the text is too short.
    """
    from hanlin.compression import calibration_rows

    length = model.decoder.config.context_length
    budget = options.calibration_rows * length
    found = _encoded(options, options.calibration, "train", model.tokenizer, budget)
    if not found:
        return None
    say(f"Calibrating on up to {options.calibration_rows} rows of {length} tokens")
    eot_id = model.tokenizer.eot_id
    return calibration_rows(found, eot_id=eot_id, length=length, rows=options.calibration_rows)


def compare(options: Shrinking, model: Model, smaller: Decoder) -> dict[str, Any]:
    """Return by language what changed on text; nothing where there is no text."""
    import numpy as np

    from hanlin.compression import measure_drift
    from hanlin.evaluation import DecoderScorer

    documents = _encoded(options, options.text, "test", model.tokenizer, options.max_tokens)
    if not documents:
        return {}
    say("Comparing both models on text")
    scorers = [
        DecoderScorer(decoder, eot_id=model.tokenizer.eot_id)
        for decoder in (model.decoder, smaller)
    ]
    drifts = measure_drift(scorers[0], scorers[1], documents, np.random.default_rng(1))
    return {"by_language": {language: drift.as_dict() for language, drift in drifts.items()}}


def sizes(model: Model, out: Path, smaller: Decoder) -> dict[str, Any]:
    """Return the true bytes of both models' weights on disk, headers and scales included."""
    from hanlin.compression import weight_bytes
    from hanlin.models import count_parameters

    before, after = weight_bytes(model.folder), weight_bytes(out)
    parameters = count_parameters(smaller.config).total
    return {
        "bytes": {"original": before, "smaller": after, "share": after / before},
        "parameters": {
            "original": count_parameters(model.decoder.config).total,
            "smaller": parameters,
        },
        "bits_per_parameter": 8 * after / parameters,
    }


def render(result: dict[str, Any]) -> str:
    """Return sizes and changes as text."""
    size = result["bytes"]
    lines = [
        f"{result['out']}: {size['smaller']:,} bytes of weights, {size['share']:.1%} of "
        f"{size['original']:,}; {result['bits_per_parameter']:.2f} bits a parameter",
    ]
    if result.get("heads"):
        lines.append(f"Heads that came along: {', '.join(result['heads'])}")
    lines += render_left_behind(result["left_behind"])
    if "by_language" not in result:
        return "\n".join([*lines, "No text to compare on: give --text FILES."])
    lines.append("language  bits/byte before  after    change   same top token  KL (nats)")
    for language, found in result["by_language"].items():
        bits = found["bits_per_byte"]
        lines.append(
            f"{language:<8}  {bits['original']:<16.4f}  {bits['smaller']:<7.4f}  "
            f"{bits['change']:<+7.2%}  {found['top_1_agreement']:<14.1%}  {found['kl_nats']:.5f}"
        )
    return "\n".join(lines)


def _encoded(
    options: Shrinking, paths: tuple[Path, ...], split: Split, tokenizer: Tokenizer, limit: int
) -> list[HeldOutDocument]:
    """Return the documents of files, or else of a run's split."""
    from hanlin.evaluation import encode_documents

    documents = read_text(paths, blocks=options.blocks) if paths else run_text(options.model, split)
    found = encode_documents(tokenizer, documents, tokens_per_language=limit)
    if paths and not found:
        raise DataError(f"There is no text in {', '.join(map(str, paths))}.")
    return found
