from __future__ import annotations

import random

import pytest

from hanlin.text.world import MUTATIONS, check, generate_story, mutate

STORY_ZH = (
    "一天，小明带着一个红皮球来到了公园。小红也来了。小明把红皮球给了小红。"
    "小红玩起了红皮球。最后，小红带着红皮球回家了。"
)
STORY_EN = (
    "One day, Ming came to the park with a red ball. Hong came too. "
    "Ming gave the red ball to Hong. Then she played with the red ball. "
    "In the end, Hong went home with the red ball."
)


def test_a_hand_written_story_is_accepted_in_both_languages():
    chinese = check(STORY_ZH, "zh")
    assert chinese.problems == ()
    english = check(STORY_EN, "en")
    assert english.problems == ()
    assert english.structure == chinese.structure
    assert english.state_dependent
    assert english.sentences == 5


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("红皮球。最后", "蓝皮球。最后", "the blue ball was the red ball before"),
        (
            "小红玩起了",
            "小明玩起了",
            "the whereabouts of the red ball is Hong, but it must be Ming",
        ),
        ("小红玩起了", "小红在学校里弄丢了", "the place of Hong is the park, but it must be"),
        ("小红也来了。", "", "Hong acts before coming into the story"),
        ("小红玩起了红皮球。", "小红吃了红皮球。", "the red ball has not the trait `food`"),
        ("小红玩起了红皮球。", "小红玩起了红皮球。" * 2, "but it must not be `ball`"),
        ("小红玩起了红皮球。", "小红看见了一把蓝苹果。", "is none of the world's"),
        ("最后，", "", "sentence 5 is none of the world's"),
        ("一天，", "", "sentence 1 is none of the world's"),
        ("一个红皮球", "一本红皮球", "sentence 1 is none of the world's"),
        ("小红玩起了", "它玩起了", "it is not clear whom `它` means"),
    ],
)
def test_what_is_wrong_is_said_in_a_sentence(old, new, problem):
    assert old in STORY_ZH
    verdict = check(STORY_ZH.replace(old, new), "zh")
    assert not verdict.consistent
    assert any(problem in each for each in verdict.problems), verdict.problems


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("a red ball", "an red ball"),
        ("a red ball", "two red ball"),
        ("Ming gave the red ball", "Ming gave a red ball"),
        ("Ming gave", "ming gave"),
        ("to Hong.", "to Hong"),
        ("to Hong. ", "to Hong.  "),
        ("In the end, Hong", "In the end, hong"),
        ("One day, ", ""),
    ],
)
def test_bad_english_is_not_well_formed(old, new):
    assert old in STORY_EN
    verdict = check(STORY_EN.replace(old, new, 1), "en")
    assert not verdict.well_formed
    assert verdict.structure is None


@pytest.mark.parametrize(
    ("middle", "consistent"),
    [
        ("Ming gave the red ball to Hong. She played with the red ball.", True),
        ("Ming gave the red ball to Hong. He played with the red ball.", False),
        ("Ming gave the red ball to Hong. It played with the red ball.", False),
        ("Ming played with the red ball. She wanted the red ball.", True),
    ],
)
def test_a_pronoun_means_the_only_one_who_goes_by_it(middle, consistent):
    opening = "One day, Ming took a red ball to the park and met Hong."
    ending = "In the end, Ming and Hong became good friends."
    verdict = check(f"{opening} {middle} {ending}", "en")
    assert verdict.well_formed
    assert verdict.consistent == consistent


def test_a_pronoun_that_could_mean_two_is_not_clear():
    story = (
        "One day, Ming took a red ball to the park and met Jun. He played with the red ball. "
        "In the end, Ming and Jun became good friends."
    )
    assert "it is not clear whom `He` means" in check(story, "en").problems[0]


@pytest.mark.parametrize(
    "text", ["", "。", "Once upon a time", "一天，小明来到了公园。", "<|endoftext|>"]
)
@pytest.mark.parametrize("language", ["zh", "en"])
def test_fragments_are_not_well_formed(text, language):
    verdict = check(text, language)
    assert not verdict.well_formed
    assert not verdict.consistent
    assert verdict.problems


def test_a_story_of_the_other_language_is_not_well_formed():
    assert not check(STORY_ZH, "en").well_formed
    assert not check(STORY_EN, "zh").well_formed


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize("kind", MUTATIONS)
def test_mutated_stories_are_rejected(kind, language):
    rng = random.Random(f"{kind}{language}")
    tried = rejected = 0
    while tried < 200:
        try:
            text = mutate(generate_story(rng), rng, language, kind=kind)
        except ValueError:
            continue
        tried += 1
        rejected += not check(text, language).consistent
    assert rejected >= 0.95 * tried


def test_any_mutation_changes_the_text():
    rng = random.Random(1)
    for _ in range(200):
        story = generate_story(rng)
        assert mutate(story, rng, "en") != story.text("en")


def test_a_mutation_that_a_story_does_not_offer_is_refused():
    rng = random.Random(2)
    stories = (generate_story(rng) for _ in range(200))
    plain = next(story for story in stories if story.structure[0][0] == "be_together")
    bare = type(plain)(plain.events[:1], (0,), 0)
    with pytest.raises(ValueError, match="no mutation of the kind 'colour'"):
        mutate(bare, rng, "en", kind="colour")
