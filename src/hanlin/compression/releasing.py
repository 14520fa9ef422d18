"""Write smaller models as released folders beside what made them.

python -m hanlin.compression.releasing
"""

from __future__ import annotations

from pathlib import Path

from hanlin.compression.output import check_output, write_record
from hanlin.models import QuantisedDecoder, write_packed
from hanlin.records import atomic_directory

__all__ = ["save_quantised"]


def save_quantised(out: Path, model: QuantisedDecoder, original: Path) -> None:
    """Write a quantised model of the release in `original` as a folder.

    Raises:
        UserError: there is something at `out` that was not written so.
    """
    check_output(out, "quantize", original=original)
    with atomic_directory(out) as target:
        write_packed(target, model, original)
        write_record(target, "quantize", original, model.quantisation.model_dump(mode="json"))


if __name__ == "__main__":
    check_output(Path("nowhere"), "quantize")
    print("nowhere may be written")
