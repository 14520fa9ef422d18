"""A corpus as the plan sees it, without any text that lies somewhere."""

from __future__ import annotations

from hanlin.planning import CorpusEstimate

__all__ = ["estimate_of"]


def estimate_of(
    size: float, text: tuple[str, ...] = ("从前有一只猫。", "The old cat sat.")
) -> CorpusEstimate:
    """Return an estimate of so many bytes, half of them Chinese."""
    return CorpusEstimate(
        files=1,
        bytes_on_disk=int(size),
        text_bytes=size,
        kept_bytes=size,
        characters=size / 2,
        documents=max(1.0, size / 2000),
        shares={"en": 0.5, "zh": 0.5},
        train_share=0.96,
        sample_bytes=1000,
        seconds=1.0,
        text=text,
    )
