"""Requests with facts left out, played through with a simulated user.

The assistant has three turns. Where it asks for the fact that is missing, the user gives it; where
it asks for another, or for what was said, the user repeats the request. The user is satisfied by
the full reply, word for word; how many of the things that it must name it does name is told beside
(`slots`). Beside the model stand two controls that use the same weights: one
that never asks, and one that always asks first.

    python -m hanlin.tasks.clarifying
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, get_args

from hanlin.tasks.base import Measured, answer_limit, write_answers
from hanlin.tasks.offering import measure_offers
from hanlin.tasks.sources import Message
from hanlin.tasks.turns import (
    ASK_ABOVE,
    Talk,
    ask_probabilities,
    opened_prompt,
    read_turn,
    turn_prompt,
)
from hanlin.text.world import Request
from hanlin.text.world.entities import noun

if TYPE_CHECKING:
    from hanlin.generation import Engine

__all__ = ["Policy", "asked_fact", "f1_score", "measure_requests"]

Policy = Literal["model", "never_ask", "always_ask"]
_TURNS = 3
_WORDS: Mapping[str, tuple[str, ...]] = {
    "who": ("谁", "whom", "who "),
    "what": ("什么", "what"),
    "where": ("哪里", "where"),
}


@dataclass(slots=True)
class _Game:
    """One request in the playing."""

    request: Request
    policy: Policy
    history: list[Message]
    first: float = 0.0
    """The probability of asking at the first turn."""
    questions: list[str] = field(default_factory=list)
    opening: tuple[list[int], list[int]] = field(default=([], []))
    """The prompt of the first turn and the tokens that were written."""
    reply: str = ""
    turns: int = 0


def measure_requests(
    engine: Engine, talks: Sequence[Talk], *, threshold: float = ASK_ABOVE
) -> Measured:
    """Return ask F1, the share of right questions, and satisfied users beside both controls.

    What could be offered is measured behind the first turns that decided rightly.
    """
    games, never, always = _play(engine, talks, threshold)
    missing = [game.request.missing is not None for game in games]
    asked = [game.first >= threshold for game in games]
    right = [
        asked_fact(game.questions[0]) == game.request.missing
        for game, is_missing in zip(games, missing, strict=True)
        if is_missing and game.questions
    ]
    figures: dict[str, Any] = {
        "examples": len(games),
        "missing": sum(missing),
        "ask_f1": f1_score(asked, missing),
        "asked_in_vain": _share(a for a, m in zip(asked, missing, strict=True) if not m),
        "right_fact": sum(right) / sum(missing) if any(missing) else None,
        **_outcome(games),
        **_offered(engine, games, threshold),
        "controls": {"never_ask": _outcome(never), "always_ask": _outcome(always)},
    }
    replies = [game.reply for game in games]
    return Measured(figures, replies, [game.request.answer for game in games])


def asked_fact(question: str) -> str | None:
    """Return the kind of fact that a question asks for; None if it is no clear question.

    >>> asked_fact("请问把球给谁？"), asked_fact("Where should I take it?"), asked_fact("好的。")
    ('who', 'where', None)
    """
    found = [
        kind for kind, words in _WORDS.items() if any(word in question.lower() for word in words)
    ]
    return found[0] if len(found) == 1 else None


def f1_score(found: Sequence[bool], wanted: Sequence[bool]) -> float | None:
    """Return the F1 of what was found; None where nothing was wanted and nothing found.

    >>> f1_score([True, True, False], [True, False, True])
    0.5
    """
    both = sum(f and w for f, w in zip(found, wanted, strict=True))
    total = sum(found) + sum(wanted)
    return 2 * both / total if total else None


def _play(engine: Engine, talks: Sequence[Talk], threshold: float) -> list[list[_Game]]:
    """Play each request once with every policy, all side by side; return the games by policy."""
    games: list[list[_Game]] = []
    for policy in get_args(Policy):
        games.append([])
        for talk in talks:
            assert talk.request is not None, "only requests of the toy world are played"
            history = [Message("user", talk.request.text)]
            games[-1].append(_Game(talk.request, policy, history))
    live = [game for group in games for game in group]
    for turn in range(_TURNS):
        live = _turn(engine, live, threshold, turn)
        if not live:
            break
    return games


def _turn(engine: Engine, games: list[_Game], threshold: float, turn: int) -> list[_Game]:
    """Let the assistant speak once in each game; return those in which it asked."""
    tokenizer, room = engine.tokenizer, engine.model.config.context_length - 2
    prompts = [turn_prompt(tokenizer, game.history) for game in games]
    playing = [pair for pair in zip(games, prompts, strict=True) if len(pair[1]) < room]
    asks = _decide(engine, playing, threshold, turn)
    opened = [
        opened_prompt(tokenizer, prompt, "ask" if ask else "answer")
        for (_, prompt), ask in zip(playing, asks, strict=True)
    ]
    said = [text for game in games for text in (game.request.question, game.request.answer)]
    written = write_answers(engine, opened, answer_limit(tokenizer, said))
    live = []
    for (game, _), prompt, ask, ids in zip(playing, opened, asks, written, strict=True):
        text, offers = read_turn(tokenizer, ids)
        game.turns += 1
        game.opening = game.opening if turn else (prompt, ids)
        if not ask:
            game.reply = text
            continue
        game.questions.append(text)
        game.history += [
            Message("assistant", text, "ask", offers),
            Message("user", _user(game, text)),
        ]
        live.append(game)
    return live


def _decide(
    engine: Engine, playing: Sequence[tuple[_Game, list[int]]], threshold: float, turn: int
) -> list[bool]:
    """Return for each game whether the assistant asks, and note how sure the model is at first."""
    free = [pair for pair in playing if pair[0].policy == "model"]
    sure = iter(ask_probabilities(engine, [prompt for _, prompt in free]))
    asks = []
    for game, _ in playing:
        if game.policy != "model":
            asks.append(game.policy == "always_ask" and turn == 0)
            continue
        probability = next(sure)
        game.first = probability if turn == 0 else game.first
        asks.append(probability >= threshold)
    return asks


def _user(game: _Game, question: str) -> str:
    """Return what the simulated user says to a question."""
    request = game.request
    if request.missing is not None and asked_fact(question) == request.missing:
        return request.fact
    return request.text


def _offered(engine: Engine, games: Sequence[_Game], threshold: float) -> dict[str, Any]:
    right = [
        game
        for game in games
        if game.turns and (game.first >= threshold) == (game.request.missing is not None)
    ]
    openings, requests = [game.opening for game in right], [game.request for game in right]
    return dict(measure_offers(engine, openings, requests))


def _outcome(games: Sequence[_Game]) -> dict[str, float]:
    satisfied = [game.reply == game.request.answer for game in games]
    return {
        "satisfied": sum(satisfied) / len(games),
        "slots": sum(map(_slots, games)) / len(games),
        "turns": sum(game.turns for game in games) / len(games),
    }


def _slots(game: _Game) -> float:
    """Return the share of what the request speaks of that the reply names, in either language."""
    about = game.request.about
    named = (
        noun(entity, "zh") in game.reply or noun(entity, "en") in game.reply for entity in about
    )
    return sum(named) / len(about)


def _share(values: Any) -> float | None:
    listed = list(values)
    return sum(listed) / len(listed) if listed else None


if __name__ == "__main__":
    print(asked_fact("请问把球给谁？"), f1_score([True, True, False], [True, False, True]))
