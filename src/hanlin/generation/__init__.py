"""Generation: sampling, streams of whole characters, and the engine that joins them."""

from hanlin.generation.draft import Completion, FinishReason
from hanlin.generation.engine import Engine, Prompt
from hanlin.generation.sampling import TokenHistory, sample_token
from hanlin.generation.stream import TextStream

__all__ = [
    "Completion",
    "Engine",
    "FinishReason",
    "Prompt",
    "TextStream",
    "TokenHistory",
    "sample_token",
]
