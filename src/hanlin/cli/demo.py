"""`hanlin demo`: the whole chain on the toy world, offline; then the model shows what it learnt."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hanlin.cli._command import Device, parse, say, show
from hanlin.cli._flags import SetFlags
from hanlin.errors import UserError

if TYPE_CHECKING:
    from hanlin.api import Model
    from hanlin.text.world import Language, Story

__all__ = ["main"]

Turn = dict[str, Any]
_OPENINGS = ("早上，", "One day,")
_LANGUAGES: tuple[Language, ...] = ("zh", "en")
_OTHER: Mapping[Language, Language] = {"zh": "en", "en": "zh"}
_STORY_SHARE = 0.6
"""The share of the context that a story may take."""
_QUESTION: Mapping[Language, tuple[str, str]] = {
    "zh": ("\n问：", "\n答："),
    "en": ("\nQuestion: ", "\nAnswer: "),
}


@dataclass(frozen=True, kw_only=True)
class Arguments(Device):
    """Train a small bilingual GPT on the toy world before your eyes, and see what it has learnt."""

    run: Path = Path("runs/demo")
    """The run's folder; a finished demo is not trained again."""
    seed: int = 1
    """Which stories it is asked about; the model is the same."""
    overrides: SetFlags = ()
    """Override one key of the demo's recipe; may be given several times."""


def main(arguments: Sequence[str]) -> int:
    """Run the verb."""
    options = parse(Arguments, "demo", arguments, example="hanlin demo --run runs/first")
    from hanlin import api

    recipe = resources.files("hanlin.runs") / "recipes" / "demo.toml"
    with resources.as_file(recipe) as path:
        folder = api.run(
            path, folder=options.run, overrides=options.overrides, device=options.device
        )
    core, reader = api.load(folder, expansion=""), api.load(folder)
    written = [
        opening + core.generate(opening, temperature=0.7, max_tokens=120, seed=options.seed)
        for opening in _OPENINGS
    ]
    asked = [_ask(core, reader, language, options.seed) for language in _LANGUAGES]
    shown = "\n\n".join([*written, *("\n".join(_lines(answers)) for answers in asked)])
    show(options, {"run": str(folder), "stories": written, "asked": asked}, shown)
    say(f"\nThe report: {folder / 'report.html'}")
    say(f"Another story: hanlin generate {options.run} --expansion off --temperature 0.7")
    say(f"Talk to it: hanlin chat {options.run} --expansion off")
    return 0


def _ask(core: Model, reader: Model, language: Language, seed: int) -> dict[str, Any]:
    """Return what the model makes of a story that it never saw, beside what the world says."""
    rng = random.Random(f"{seed}/{language}")
    story = _short_story(core, language, rng)
    text, other = story.text(language), _OTHER[language]
    keywords, summary = _summarise(core, text)
    question, answer = rng.choice(story.questions(language))
    before, after = _QUESTION[language]
    read = reader.generate(
        f"{text}{before}{question}{after}", temperature=0, max_tokens=16, stop=("\n",)
    )
    return {
        "story": text,
        "keywords": keywords,
        "summary": {"model": summary, "world": story.summary(language)},
        "translation": {
            "model": core.translate(story.summary(language), other),
            "world": story.summary(other),
        },
        "question": {"text": question, "model": read.strip(), "world": answer},
        "dialogue": _talk(core, story, language, rng),
    }


def _short_story(model: Model, language: Language, rng: random.Random) -> Story:
    """Return a story of combinations kept from training that leaves room to ask and to answer."""
    from hanlin.text.world import generate_story

    room = int(_STORY_SHARE * model.decoder.config.context_length)
    while True:
        story = generate_story(rng, split="heldout")
        if len(model.tokenizer.encode(story.text(language))) <= room:
            return story


def _summarise(core: Model, text: str) -> tuple[list[str], str]:
    """Return the keywords that the model names and its summary; a weak one may find no keyword."""
    try:
        summary = core.summarize_by(text)
    except UserError as error:
        return [], str(error)
    return list(summary.keywords), summary.text


def _talk(core: Model, story: Story, language: Language, rng: random.Random) -> list[Turn]:
    """Return a dialogue about a request that leaves something out; asked for it, the user says it.

    An answer without asking ends it.
    """
    request = story.request(language, rng)
    while not request.missing:
        request = story.request(language, rng)
    talk: list[Turn] = [{"role": "user", "content": request.text}]
    for _ in range(2):
        reply = core.reply(talk, temperature=0).message
        talk.append(reply.as_dict())
        if reply.decision != "ask":
            break
        talk.append({"role": "user", "content": request.fact})
    return talk


def _lines(asked: Mapping[str, Any]) -> Iterator[str]:
    """Yield what was asked and answered, a line each."""
    yield asked["story"]
    yield f"  keywords     {', '.join(asked['keywords'])}"
    for name in ("summary", "translation"):
        yield f"  {name:<12} {asked[name]['model']}"
        yield f"  {'':<12} the world: {asked[name]['world']}"
    question = asked["question"]
    yield f"  question     {question['text']}"
    yield f"  {'':<12} {question['model']}   the world: {question['world']}"
    for turn in asked["dialogue"]:
        yield f"  {turn['role']:<12} {turn['content']}"


if __name__ == "__main__":
    raise SystemExit(main(()))
