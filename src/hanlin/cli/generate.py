"""`hanlin generate MODEL --prompt T`: a continuation, streamed as it is written."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hanlin.cli._command import say, show
from hanlin.cli._generate_flags import Arguments, explained_options, plain_options, ways_of
from hanlin.cli._outside import read_input
from hanlin.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hanlin.api import Model
    from hanlin.generation import Completion
    from hanlin.generation.native import NativeEngine
    from hanlin.tokenizers import Tokenizer

__all__ = ["main"]

_SHARED = ("max_tokens", "stop", "no_repeat_ngram")


def main(arguments: Sequence[str]) -> int:
    """Run the verb."""
    options, folder = plain_options(arguments) or explained_options(arguments)
    prompts = _prompts(options)
    engine = _native_engine(options, folder)
    if engine is None:
        _with_torch(options, prompts)
    else:
        _with_native(engine, options, prompts)
    return 0


def _prompts(options: Arguments) -> list[str]:
    """Return the prompt of each text that is to be written."""
    given = [read_input() if text == "-" else text for text in options.prompt or ("",)]
    return [text for text in given for _ in range(options.samples)]


def _native_engine(options: Arguments, folder: Path) -> NativeEngine | None:
    """Return the native engine where it is wanted and can do what is asked."""
    if options.engine == "torch":
        return None
    from hanlin.generation.native import NativeEngine, load_native, why_not_native
    from hanlin.tokenizers import load_tokenizer

    why = why_not_native(
        folder, options.sampling, device=options.device, expansion=options.chosen_expansion
    )
    if torch_only := ways_of(options):
        why = f"{' and '.join(torch_only)} is torch's"
    if not why:
        return NativeEngine(load_native(folder), load_tokenizer(folder))
    if options.engine == "native":
        raise UserError(f"--engine native is not possible: {why}.")
    return None


def _with_native(engine: NativeEngine, options: Arguments, prompts: list[str]) -> None:
    read = {prompt: engine.tokenizer.begin_document(prompt) for prompt in prompts}
    if options.json or len(prompts) > 1:
        found = engine.generate_batch([read[prompt] for prompt in prompts], options.sampling)
        _show_texts(options, prompts, found)
    else:
        _print(prompts[0], engine.stream(read[prompts[0]], options.sampling), engine.tokenizer)


def _with_torch(options: Arguments, prompts: list[str]) -> None:
    from hanlin import api

    model = api.load(options.model, device=options.device, expansion=options.chosen_expansion)
    if len(prompts) > 1:
        _show_texts(options, prompts, model.complete_batch(prompts, options.sampling))
        return
    prompt = prompts[0]
    if options.reverse:
        text = model.reverse(prompt, **options.sampling.model_dump())
        show(options, {"prompt": prompt, "text": text}, text)
    elif options.suffix is not None:
        middle = model.complete_between(prompt, options.suffix, options.sampling)
        whole = f"{prompt}{middle.text}{options.suffix}"
        show(options, {"prompt": prompt, "suffix": options.suffix, **asdict(middle)}, whole)
    elif options.search != "none":
        shared = {name: getattr(options.sampling, name) for name in _SHARED}
        found = model.search(prompt, method=options.search, **asdict(options.searching), **shared)
        _show_texts(options, [prompt] * len(found), found, several=True)
    else:
        _one(model, prompt, options)


def _show_texts(
    options: Arguments, prompts: list[str], found: Sequence[Completion], *, several: bool = False
) -> None:
    """Show one text, or a list of them; of one prompt, it stands before the list."""
    pairs = list(zip(prompts, found, strict=True))
    if len(pairs) == 1 and not several:
        show(options, {"prompt": prompts[0], **asdict(found[0])}, "")
        return
    lines = "\n".join(f"[{number}] {p}{text.text}" for number, (p, text) in enumerate(pairs, 1))
    if len(set(options.prompt)) > 1:
        result: dict[str, Any] = {"texts": [{"prompt": p, **asdict(text)} for p, text in pairs]}
    else:
        result = {"prompt": prompts[0], "texts": [asdict(text) for text in found]}
    show(options, result, lines)


def _one(model: Model, prompt: str, options: Arguments) -> None:
    from hanlin import api

    speculation = None
    if options.draft or options.lookup:
        draft = api.load(options.draft, device=options.device) if options.draft else None
        speculation = model.speculate(draft, tokens=options.proposals)
    if options.json:
        completion = model.complete(prompt, options.sampling, speculation)
        counted = {"speculation": speculation.as_dict()} if speculation else {}
        show(options, {"prompt": prompt, **asdict(completion), **counted}, "")
    elif options.sampling.best_of > 1:
        print(prompt + model.complete(prompt, options.sampling, speculation).text, flush=True)
    else:
        pieces = model.stream(prompt, speculation=speculation, **options.sampling.model_dump())
        _print(prompt, pieces, model.tokenizer)
        if speculation is not None:
            say(
                f"{speculation.acceptance:.0%} of {speculation.proposed} proposals accepted, "
                f"{speculation.tokens_per_pass:.2f} tokens a pass"
            )


def _print(prompt: str, pieces: Iterator[str], tokenizer: Tokenizer) -> None:
    start = time.monotonic()
    print(prompt, end="", flush=True)
    written = ""
    for piece in pieces:
        written += piece
        print(piece, end="", flush=True)
    print(flush=True)
    seconds = time.monotonic() - start
    tokens = len(tokenizer.encode(written))
    say(f"{tokens} tokens in {seconds:.2f} s ({tokens / seconds:.0f} tokens/s)")
