"""A taught model at work, and what it says to what it cannot do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from hanlin.config import SamplingConfig
from hanlin.errors import DataError, UserError
from hanlin.tasks import Conversation, summarize_text, translate_text

SAMPLING = SamplingConfig(temperature=0)
USER = {"role": "user", "content": "请把球送人。"}


def shy(prompt: str) -> str:
    return "请问给谁？" if prompt.endswith("<|ask|>") else "<|ask|>"


def test_the_assistant_asks_or_answers_by_the_threshold(parrot: Callable[..., Any]) -> None:
    reply = Conversation(parrot(shy), [USER]).reply(SAMPLING)
    assert reply.message.as_dict() == {
        "role": "assistant",
        "content": "请问给谁？",
        "decision": "ask",
    }
    assert reply.ask_probability > 0.9
    bold = Conversation(parrot(shy), [USER], threshold=1.1)
    assert bold.reply(SAMPLING).message.decision == "answer"


def test_what_is_streamed_is_what_is_replied(parrot: Callable[..., Any]) -> None:
    talk = Conversation(parrot(shy), [USER])
    assert "".join(talk.stream(SAMPLING)) == talk.reply(SAMPLING).message.content


def test_old_turns_are_left_out_when_the_context_is_full(parrot: Callable[..., Any]) -> None:
    old = [USER, {"role": "assistant", "content": "好" * 60}] * 4
    system = {"role": "system", "content": "简短。"}
    prompts: list[str] = []

    def listen(prompt: str) -> str:
        prompts.append(prompt)
        return "<|answer|>"

    talk = Conversation(parrot(listen), [system, *old, USER])
    assert talk.left_out in (2, 4, 6)
    assert talk.asks is False
    assert prompts[-1].startswith(
        "<|endoftext|><|im_start|>system\n简短。<|im_end|>\n<|im_start|>user"
    )
    with pytest.raises(UserError, match="leaves no room to reply in the model's context of 512"):
        Conversation(parrot(listen), [{"role": "user", "content": "好" * 400}])


def test_a_dialogue_that_nobody_can_answer_is_refused(parrot: Callable[..., Any]) -> None:
    assistant = {"role": "assistant", "content": "好的。"}
    with pytest.raises(UserError, match="last message is of the assistant"):
        Conversation(parrot(shy), [USER, assistant])
    with pytest.raises(DataError, match="the dialogue: the field 'messages' holds a list that is"):
        Conversation(parrot(shy), [])
    with pytest.raises(DataError, match=r"the dialogue, messages\[0\]: the field 'role'"):
        Conversation(parrot(shy), [{"content": "x"}])


def test_a_summary_follows_given_keywords_that_the_text_holds(parrot: Callable[..., Any]) -> None:
    engine = parrot(lambda prompt: "小猫。" if "鱼<|sep|>小猫<|summary|>" in prompt else "?")
    summary = summarize_text(engine, "小猫看见鱼。", ["鱼", "大象", "小猫"], SAMPLING)
    assert summary.text == "小猫。"
    assert summary.keywords == ("鱼", "小猫")
    assert summary.struck == ("大象",)
    with pytest.raises(UserError, match="holds none of the keywords"):
        summarize_text(engine, "小猫看见鱼。", ["大象"], SAMPLING)
    with pytest.raises(UserError, match="no text to summarise"):
        summarize_text(engine, " ", None, SAMPLING)


def test_a_translation_goes_where_it_is_told(parrot: Callable[..., Any]) -> None:
    engine = parrot(lambda prompt: "A cat." if "<|zh2en|>小猫。<|target|>" in prompt else "?")
    assert translate_text(engine, "小猫。", "en", SAMPLING) == "A cat."
    with pytest.raises(UserError, match="not to 'fr'"):
        translate_text(engine, "小猫。", "fr", SAMPLING)  # type: ignore[arg-type]
    with pytest.raises(UserError, match="no text to translate"):
        translate_text(engine, "", "zh", SAMPLING)


def generous(prompt: str) -> str:
    if prompt.endswith("<|sep|>"):
        return "小明<|sep|>小红<|sep|>小明<|sep|>小刚<|sep|>小丽"
    if prompt.endswith("？"):
        return "<|sep|>小明"
    return "请问给谁？<|sep|>小明" if prompt.endswith("<|ask|>") else "<|ask|>"


def test_choices_are_offered_behind_a_question_and_kept_out_of_the_stream(
    parrot: Callable[..., Any],
) -> None:
    talk = Conversation(parrot(generous), [USER])
    reply = talk.reply(SAMPLING)
    assert reply.message.content == "".join(talk.stream(SAMPLING)) == "请问给谁？"
    assert reply.message.offers == ("小明", "小红", "小刚")
    assert reply.message.as_dict()["offers"] == ["小明", "小红", "小刚"]
    again = Conversation(parrot(generous), [USER, reply.message.as_dict(), USER])
    assert again.left_out == 0


def test_who_never_offered_offers_nothing(parrot: Callable[..., Any]) -> None:
    assert Conversation(parrot(shy), [USER]).reply(SAMPLING).message.offers == ()


def test_a_document_longer_than_the_context_is_summarised_in_parts(
    parrot: Callable[..., Any],
) -> None:
    seen: list[str] = []

    def says(prompt: str) -> str:
        document, _, plan = prompt.removeprefix("<|endoftext|>").partition("<|keywords|>")
        seen.append(document)
        return plan.replace("<|summary|>", "。") if plan else f"{document[:2]}<|summary|>"

    names = ["小猫", "小狗", "小鸟", "小鱼"]
    document = "\n".join(f"{name}来了。" * 45 for name in names)
    summary = summarize_text(parrot(says), document, None, SAMPLING)
    assert summary.parts == len(summary.keywords) == 4
    assert summary.text == "小猫。小狗。小鸟。小鱼。"
    assert all(len(set(part.split("\n"))) == 1 for part in seen)
    led = summarize_text(parrot(says), document, ["小鱼", "大象", "小狗"], SAMPLING)
    assert led.text == "小鱼。小狗。"
    assert led.keywords == ("小鱼", "小狗")
    assert led.struck == ("大象",)
    assert led.parts == 2


def test_a_text_in_an_unknown_language_is_refused(parrot: Callable[..., Any]) -> None:
    for text in ("Кошка увидела рыбу. Рыба уплыла.", "ねこがさかなをみました。"):
        with pytest.raises(UserError, match="neither Chinese nor English"):
            summarize_text(parrot(shy), text, None, SAMPLING)
        with pytest.raises(UserError, match="neither Chinese nor English"):
            translate_text(parrot(shy), text, "en", SAMPLING)


def test_what_the_assistant_said_before_the_user_is_left_out_and_counted(
    parrot: Callable[..., Any],
) -> None:
    greeting = {"role": "assistant", "content": "你好！"}
    assert Conversation(parrot(shy), [greeting, USER]).left_out == 1
