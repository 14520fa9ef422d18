"""Print one story in both languages with all that is derived from it, and the world's size.

python -m hanlin.text.world --seed 3
"""

from __future__ import annotations

import argparse
import random

from hanlin.text.world.actions import ACTIONS
from hanlin.text.world.checker import check
from hanlin.text.world.entities import Language
from hanlin.text.world.lexicon import ACTORS, PLACES, THINGS
from hanlin.text.world.plots import PLOTS
from hanlin.text.world.retelling import retell
from hanlin.text.world.story import Story, generate_story


def main() -> None:
    """Print the story of the seed given on the command line."""
    parser = argparse.ArgumentParser(description="Print one story of the toy world.")
    parser.add_argument("--seed", type=int, default=3, help="seed of the story")
    seed = parser.parse_args().seed
    story = generate_story(random.Random(seed))
    languages: tuple[Language, Language] = ("zh", "en")
    for language in languages:
        show(story, language, random.Random(seed))
    print(f"scene      {story.scene}")
    print(f"structure  {story.structure}")
    print(f"state      {'matters' if story.state_dependent else 'does not matter'}")
    print(
        f"\nThe world has {len(ACTORS)} actors, {len(THINGS)} things, {len(PLACES)} places, "
        f"{len(ACTIONS)} actions and {len(PLOTS)} plots."
    )


def show(story: Story, language: Language, rng: random.Random) -> None:
    """Print what one language makes of a story."""
    text = story.text(language)
    request = story.request(language, rng)
    print(f"text       {text}")
    print(f"summary    {story.summary(language)}")
    print(f"keywords   {', '.join(story.keywords(language))}")
    print(f"reversed   {retell(story, story.keywords(language)[::-1], language)}")
    for question, answer in story.questions(language):
        print(f"question   {question} — {answer}")
    print(f"request    {request.text} (missing: {request.missing or 'nothing'})")
    print(f"           {request.question} — {request.fact} — {request.answer}")
    print(f"picture    {story.picture(language)}")
    print(f"verdict    {check(text, language)}\n")


if __name__ == "__main__":
    main()
