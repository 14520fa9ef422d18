"""What answers have around their choices: ids, usage, timings.

python -m hanlin.serving.frames
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from hanlin import __version__
from hanlin.serving.texts import Text

__all__ = ["FINGERPRINT", "Frame", "finish_of", "timings_of", "usage_of"]

FINGERPRINT = f"hanlin-{__version__}"


@dataclass(frozen=True)
class Frame:
    """The frame of one answer, and of each chunk of it."""

    prefix: str
    object: str
    model: str
    created: int = field(default_factory=lambda: int(time.time()))
    number: str = field(default_factory=lambda: secrets.token_hex(12))

    def around(self, choices: Sequence[dict[str, Any]], **more: Any) -> dict[str, Any]:
        """Return choices with what stands around them."""
        return {
            "id": f"{self.prefix}-{self.number}",
            "object": self.object,
            "created": self.created,
            "model": self.model,
            "system_fingerprint": FINGERPRINT,
            "choices": list(choices),
            **more,
        }


def usage_of(prompt_tokens: int, texts: Sequence[Text]) -> dict[str, Any]:
    """Return the tokens of a request, each prompt counted once."""
    written = sum(text.num_written for text in texts)
    reused = min(prompt_tokens, sum(text.reused for text in texts))
    return {
        "prompt_tokens": prompt_tokens,
        "completion_tokens": written,
        "total_tokens": prompt_tokens + written,
        "prompt_tokens_details": {"cached_tokens": reused},
    }


def timings_of(text: Text) -> dict[str, Any]:
    """Return how long a text's prompt and its tokens took, as llama.cpp's server says it."""
    ended = text.ended or time.monotonic()
    first = text.first or ended
    written = text.num_written
    seconds = ended - first
    return {
        "prompt_n": len(text.prompt),
        "prompt_ms": round((first - text.began) * 1000, 3),
        "predicted_n": written,
        "predicted_ms": round(seconds * 1000, 3),
        "predicted_per_second": round((written - 1) / seconds, 3) if seconds > 0 else 0.0,
    }


def finish_of(text: Text) -> dict[str, Any]:
    """Return why a text ended, in OpenAI's words; one whose time was over has a word of ours."""
    reason = text.completion.finish_reason
    if reason == "deadline":
        return {"finish_reason": "length", "stop_reason": "deadline"}
    return {"finish_reason": reason}


if __name__ == "__main__":
    print(Frame("cmpl", "text_completion", "demo").around([]))
