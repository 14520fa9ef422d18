"""Write smaller models as released folders beside what made them.

python -m hanlin.compression.releasing
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hanlin.compression.output import check_output, write_record
from hanlin.models import (
    Decoder,
    QuantisedDecoder,
    read_heads,
    read_learnt,
    read_proposal,
    save_release,
    write_packed,
)
from hanlin.models.expansion import choose_expansion
from hanlin.records import atomic_directory
from hanlin.tokenizers import Tokenizer

__all__ = ["save_pruned", "save_quantised"]


def save_quantised(
    out: Path, model: QuantisedDecoder, original: Path, *, expansion: str | None = None
) -> list[str]:
    """Write a quantised model of the release in `original` as a folder; names the heads it keeps.

    `expansion` is the one that was merged, as `load_release` takes it. Heads were learnt on the
    core alone, so that none is kept where one was.

    Raises:
        ModelError: there is no such expansion, or a head does not belong to the original.
        UserError: there is something at `out` that was not written so.
    """
    check_output(out, "quantize", original=original)
    merged = choose_expansion(original, expansion)
    heads = [] if merged else read_heads(original, model.config)
    with atomic_directory(out) as target:
        write_packed(target, model, original, heads)
        write_record(target, "quantize", original, model.quantisation.model_dump(mode="json"))
    return [head.name for head in heads]


def save_pruned(
    out: Path, model: Decoder, original: Path, tokenizer: Tokenizer, settings: dict[str, Any]
) -> None:
    """Write a pruned model of the release in `original` as an ordinary release.

    Raises:
        UserError: there is something at `out` that was not written so.
    """
    check_output(out, "prune", original=original)
    with atomic_directory(out) as target:
        save_release(
            target,
            model,
            tokenizer=tokenizer,
            card=_card(original, settings),
            sampling=read_proposal(original),
            learnt=read_learnt(original),
        )
        write_record(target, "prune", original, settings)


def _card(original: Path, settings: dict[str, Any]) -> str:
    """Return the original's card with what was left out of it."""
    path = original / "README.md"
    before = path.read_text(encoding="utf-8") if path.is_file() else f"# {original.name}\n"
    gone = ", ".join(f"{name} {value}" for name, value in settings.items())
    return f"{before}\nPruned by Hanlin from this model ({gone}); figures above are from before.\n"


if __name__ == "__main__":
    check_output(Path("nowhere"), "quantize")
    print("nowhere may be written")
