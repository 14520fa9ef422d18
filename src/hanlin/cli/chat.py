"""`hanlin chat MODEL`: a dialogue, streamed, with a history; it works piped too.

Every line of standard input is a turn of the user, or a command that begins with a slash. What the
assistant offers is listed with numbers; such a number alone takes an offer up.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hanlin.cli._command import Loading, parse, say, show
from hanlin.cli._flags import ModelPath
from hanlin.cli._outside import check_text
from hanlin.cli._sampling import SamplingFlags, explain_bounds
from hanlin.config import SamplingConfig
from hanlin.errors import UserError

if TYPE_CHECKING:
    from hanlin.api import Model

__all__ = ["main"]

_HELP = """\
/retry            let the assistant speak its last turn again
/set KEY=VALUE    change how it draws (temperature=0.5, seed=1, ...) or threshold=0.3
/save FILE        write the dialogue as JSON
/load FILE        go on with a saved dialogue
/exit             leave (as does the end of the input)"""


@dataclass(frozen=True, kw_only=True)
class Arguments(Loading):
    """Talk with a model; lines that begin with / are commands, and /help lists them.

    Takes a model that was taught `dialogue` by a stage of kind `task`. With --json it reads all
    lines first, and prints the dialogue as one object.
    """

    model: ModelPath
    """A released folder or a run."""
    system: str = ""
    """What is said to the model before the dialogue."""
    threshold: float = 0.5
    """The probability of asking back from which it does; lower asks more often."""
    sampling: SamplingFlags = field(default_factory=SamplingFlags)
    """How turns are drawn; what is not given is as the model proposes."""


def main(arguments: Sequence[str]) -> int:
    """Run the verb."""
    example = "hanlin chat runs/taught --temperature 0"
    options = parse(Arguments, "chat", arguments, example=example)
    _check_threshold(options.threshold)
    from hanlin import api

    model = api.load(options.model, device=options.device, expansion=options.chosen_expansion)
    model.check_taught("dialogue")
    settings = SamplingFlags(**model.proposed.model_dump())
    proposed = Arguments(model=options.model, sampling=settings)
    options = parse(Arguments, "chat", arguments, example=example, default=proposed)
    asked = sys.stdin.isatty() and not options.json
    talk = _Talk(model, options, asked=asked)
    if asked:
        say("/help lists the commands; /exit leaves. Ctrl-C stops an answer.")
    for line in _lines(asked):
        if not talk.take(line):
            break
    if options.json:
        show(options, {"messages": talk.messages}, "")
    return 0


class _Talk:
    """A dialogue in progress."""

    def __init__(self, model: Model, options: Arguments, *, asked: bool) -> None:
        self.model, self.quiet, self.asked = model, options.json, asked
        self.sampling: SamplingConfig = options.sampling
        self.threshold = options.threshold
        system = {"role": "system", "content": options.system}
        self.messages: list[dict[str, Any]] = [system] if options.system else []
        self._commands: dict[str, Callable[[str], None]] = {
            "/help": lambda _: say(_HELP),
            "/retry": self._retry,
            "/set": self._set,
            "/save": self._save,
            "/load": self._load,
        }

    def take(self, line: str) -> bool:
        """Take one line; return whether the dialogue goes on."""
        line = self._chosen(line)
        word, _, rest = line.partition(" ")
        if word == "/exit":
            return False
        try:
            check_text(line, "The line")
            if not word.startswith("/"):
                self._speak([*self.messages, {"role": "user", "content": line}])
            elif word in self._commands:
                self._commands[word](rest.strip())
            else:
                say(f"There is no command {word}; /help lists all.")
        except UserError as error:
            say(str(error))
        except KeyboardInterrupt:
            if not self.asked:
                raise
            say("\nStopped; that turn is not kept. /retry or another line goes on, /exit leaves.")
        except OSError as error:
            say(f"{error.filename}: {error.strerror}.")
        return True

    def _chosen(self, line: str) -> str:
        """Return what a number among the offers of the last turn stands for; else the line."""
        offers: list[str] = self.messages[-1].get("offers", []) if self.messages else []
        return offers[int(line) - 1] if line in map(str, range(1, len(offers) + 1)) else line

    def _speak(self, messages: list[dict[str, Any]]) -> None:
        """Let the assistant answer; the dialogue grows once it has."""
        conversation = self.model.converse(messages, threshold=self.threshold)
        if conversation.left_out:
            say(
                f"({conversation.left_out} old messages are left out: they no longer fit, or stand "
                "before the user's first)"
            )
        written = ""
        for piece in conversation.stream(self.sampling):
            written += piece
            if not self.quiet:
                print(piece, end="", flush=True)
        if not self.quiet:
            print(flush=True)
        reply = conversation.as_reply(written, self.sampling)
        if not reply.message.content:
            raise UserError("The model wrote nothing, so the turn is not kept. Try it again.")
        for number, offer in enumerate(reply.message.offers if not self.quiet else (), start=1):
            say(f"  {number}. {offer}")
        self.messages = [*messages, reply.message.as_dict()]

    def _retry(self, _: str) -> None:
        if not self.messages or self.messages[-1]["role"] != "assistant":
            raise UserError("There is no turn of the assistant to speak again.")
        self._speak(self.messages[:-1])

    def _set(self, setting: str) -> None:
        from pydantic import ValidationError

        key, found, value = setting.partition("=")
        if not found or key not in (*SamplingConfig.model_fields, "threshold"):
            known = ", ".join((*SamplingConfig.model_fields, "threshold"))
            raise UserError(f"/set takes KEY=VALUE with one of the keys {known}.")
        if key == "threshold":
            self.threshold = _check_threshold(_parsed(value))
        else:
            whole = _parsed(value)
            many = isinstance(getattr(self.sampling, key), tuple) and not isinstance(whole, list)
            changed = {**self.sampling.model_dump(), key: (value,) if many else whole}
            try:
                self.sampling = SamplingConfig(**changed)
            except ValidationError as error:
                raise UserError(explain_bounds(error)) from error
        say(f"{key} is {value} from now on")

    def _save(self, name: str) -> None:
        from hanlin.records import write_text

        if not name:
            raise UserError("/save takes the name of a file.")
        text = json.dumps({"messages": self.messages}, ensure_ascii=False)
        write_text(Path(name).absolute(), f"{text}\n")
        say(f"saved in {name}")

    def _load(self, name: str) -> None:
        from hanlin.tasks import read_records, read_turns

        record = next(read_records(Path(name)))
        self.messages = [message.as_dict() for message in read_turns(record)]
        say(f"{len(self.messages)} messages from {name}")


def _lines(asked: bool) -> Iterator[str]:
    """Yield the lines of the user that are not blank, after a prompt on a terminal."""
    while True:
        if asked:
            print("> ", end="", file=sys.stderr, flush=True)
        line = sys.stdin.readline()
        if not line:
            return
        if line.strip():
            yield line.strip()


def _parsed(value: str) -> Any:
    """Return a value of JSON; what is none is text."""
    try:
        return json.loads(value)
    except ValueError:
        return value


def _check_threshold(value: Any) -> float:
    """Return a probability.

    Raises:
        UserError: it is none.
    """
    if not isinstance(value, int | float) or not 0 <= value <= 1:
        raise UserError(f"threshold {value}: it should be a probability from 0 to 1.")
    return float(value)
