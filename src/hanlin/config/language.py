"""What a language stage minimises besides the cross-entropy of the next token."""

from __future__ import annotations

from hanlin.config._strict import Strict

__all__ = ["LanguageConfig"]


class LanguageConfig(Strict):
    """Unlikelihood against repetition, and policy gradient over sampled continuations."""
