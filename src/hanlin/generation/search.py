"""One door to every search: a prompt in, finished texts out, the best first.

python -m hanlin.generation.search
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hanlin.config import SamplingConfig, SearchConfig
from hanlin.generation.beam import Found, search_beams
from hanlin.generation.contrastive import search_contrastively
from hanlin.generation.draft import Completion, Draft
from hanlin.generation.stream import TextStream

if TYPE_CHECKING:
    from hanlin.generation.engine import Engine, Prompt

__all__ = ["search"]


def search(engine: Engine, prompt: Prompt, config: SearchConfig) -> list[Completion]:
    """Return the best continuations that a search finds, each with its score."""
    sampling = SamplingConfig(max_tokens=config.max_tokens, stop=config.stop)
    blank = engine.begin(prompt, sampling)

    def is_over(text: list[int]) -> bool:
        return any(config.stop) and _written(engine, blank, config, text).stream.stopped

    given = (engine.model, engine.vocabulary, blank.prompt, config, blank.limit, is_over)
    found = [search_contrastively(*given)] if config.method == "contrastive" else None
    return [_finished(engine, blank, config, text) for text in found or search_beams(*given)]


def _finished(engine: Engine, blank: Draft, config: SearchConfig, found: Found) -> Completion:
    draft = _written(engine, blank, config, found.ids)
    if draft.reason is None:
        draft.end("stop" if found.ended else "length")
    draft.score = found.score
    return draft.complete()


def _written(engine: Engine, blank: Draft, config: SearchConfig, text: list[int]) -> Draft:
    draft = Draft(blank.prompt, blank.limit, TextStream(config.stop))
    for token in text:
        engine.take(draft, token)
    return draft


if __name__ == "__main__":
    import sys
    from pathlib import Path

    from hanlin.generation import Engine as TheEngine
    from hanlin.models import load_release
    from hanlin.tokenizers import load_tokenizer

    if len(sys.argv) != 3:
        sys.exit("python -m hanlin.generation.search FOLDER PROMPT")
    place = Path(sys.argv[1])
    working = TheEngine(load_release(place), load_tokenizer(place))
    for completion in search(working, sys.argv[2], SearchConfig()):
        print(completion.score, completion.text)
