"""Write a dialogue as tokens, and mark those that the assistant wrote.

The tokenizer's own Jinja template (ChatML by default) is rendered in jinja2's sandbox, since a
template may come from anywhere. `{% generation %}` marks the text to learn, as in transformers,
whose `apply_chat_template(..., return_assistant_tokens_mask=True)` gives the same ids and mask,
with one exception: text inside a message that spells a control token stays text here, so that
nobody can end a turn that is not theirs.

    python -m hanlin.tokenizers.chat
"""

from __future__ import annotations

import bisect
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any, NoReturn

from hanlin.errors import TokenizerError
from hanlin.tokenizers.base import Span, Tokenizer, well_formed

if TYPE_CHECKING:
    import jinja2

__all__ = ["apply_chat_template", "render_chat"]

# Noncharacters: Unicode keeps them for a program's own use, no text holds them.
_OPEN, _CLOSE, _ESCAPE = "\ufdd0", "\ufdd1", "\ufdd2"
_MARKS = re.compile(f"([{_OPEN}{_CLOSE}])")
_RESERVED = re.compile(f"[{_OPEN}{_CLOSE}{_ESCAPE}]")
_NEVER = "(?!)"  # a pattern that matches nothing


def apply_chat_template(
    tokenizer: Tokenizer,
    messages: Sequence[Mapping[str, Any]],
    add_generation_prompt: bool = False,
    *,
    allow_control: bool = False,
) -> tuple[list[int], list[int]]:
    """Return the ids of a dialogue, and a mask with 1 for each token that the assistant wrote.

    Args:
        tokenizer: its `chat_template` is used.
        messages: dictionaries with `role` and `content`; Hanlin's own template reads of the
            assistant's also `decision`, "ask" or "answer", and `offers`, a list of texts.
        add_generation_prompt: whether the beginning of the assistant's next turn is added.
        allow_control: whether control tokens that messages spell out count as such. Only for
            messages that the program wrote itself.

    Raises:
        TokenizerError: the tokenizer has no template, or the template refuses the messages.
    """
    escaped = _escapes(() if allow_control else tuple(tokenizer.control))
    shown = [_map_strings(message, lambda text: _escape(text, escaped)) for message in messages]
    text, generated = render_chat(tokenizer, shown, add_generation_prompt)
    ids: list[int] = []
    spans: list[Span] = []
    for start, part in _parts(text, escaped):
        name = escaped.names.get(part)
        found, places = tokenizer.encode_with_offsets(name or part, allow_control=name is None)
        ids += found
        spans += [(start + first, start + last) for first, last in places]
    return ids, _mask(spans, generated)


def render_chat(
    tokenizer: Tokenizer,
    messages: Sequence[Mapping[str, Any]],
    add_generation_prompt: bool = False,
) -> tuple[str, list[Span]]:
    """Return a dialogue as text, and the stretches of it that `{% generation %}` marks.

    Raises:
        TokenizerError: the tokenizer has no template, or the template refuses the messages.
    """
    import jinja2

    if tokenizer.chat_template is None:
        raise TokenizerError(
            f"this tokenizer (kind {tokenizer.kind!r}) has no chat template, so it cannot write "
            "dialogues. Put one into its folder as chat_template.jinja."
        )
    try:
        rendered = _compiled(tokenizer.chat_template).render(
            messages=messages,
            add_generation_prompt=add_generation_prompt,
            **tokenizer.named_tokens(),
        )
    except (jinja2.TemplateError, TypeError) as error:
        raise TokenizerError(
            f"the chat template cannot write these messages: {error}. Each message needs `role` "
            "and `content`, both text, in an order that the template accepts."
        ) from error
    return _without_marks(rendered)


def _without_marks(rendered: str) -> tuple[str, list[Span]]:
    """Take the generation marks out of a rendered text, and say where they were."""
    text = ""
    opened: list[int] = []
    spans: list[Span] = []
    for part in _MARKS.split(rendered):
        if part == _OPEN:
            opened.append(len(text))
        elif part == _CLOSE:
            spans.append((opened.pop(), len(text)))
        else:
            text += part
    return text, spans


def _mask(spans: Sequence[Span], generated: Sequence[Span]) -> list[int]:
    """Mark the tokens from the one that holds a stretch's first character to that of its last."""
    ends = [end for _, end in spans]
    mask = [0] * len(spans)
    for start, end in generated:
        first = bisect.bisect_right(ends, start)
        last = bisect.bisect_right(ends, end - 1)
        for place in range(first, min(last + 1, len(spans))):
            mask[place] = int(spans[place][0] < end)
    return mask


@dataclass(frozen=True, slots=True)
class _Escapes:
    """Control tokens' names, escaped where a message spells them out."""

    names: Mapping[str, str]
    """Each name by what stands for it, which is as long: places in the text stay what they are."""
    spelt: re.Pattern[str]
    """Finds a name."""
    escaped: re.Pattern[str]
    """Finds what stands for a name."""


@lru_cache(maxsize=8)
def _escapes(control: tuple[str, ...]) -> _Escapes:
    """Return the escapes of some names: of a tokenizer's own, they are wanted for every text."""
    names = {_ESCAPE + name[1:]: name for name in control}
    return _Escapes(
        names,
        spelt=re.compile("|".join(map(re.escape, control)) or _NEVER),
        escaped=re.compile(f"({'|'.join(map(re.escape, names)) or _NEVER})"),
    )


def _parts(text: str, escaped: _Escapes) -> list[tuple[int, str]]:
    """Cut a text at escaped names; give each part with its place."""
    if _ESCAPE not in text:
        return [(0, text)] if text else []
    parts: list[tuple[int, str]] = []
    start = 0
    for part in escaped.escaped.split(text):
        if part:
            parts.append((start, part))
        start += len(part)
    return parts


def _escape(text: str, escaped: _Escapes) -> str:
    text = _RESERVED.sub("\ufffd", well_formed(text))
    if escaped.spelt.search(text):
        for replacement, name in escaped.names.items():
            text = text.replace(name, replacement)
    return text


def _map_strings(value: Any, change: Callable[[str], str]) -> Any:
    """Change every string inside nested dictionaries and lists."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, Mapping):
        return {key: _map_strings(inner, change) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_map_strings(inner, change) for inner in value]
    return value


@cache
def _compiled(template: str) -> jinja2.Template:
    """Compile a template in the sandbox, with the helpers that published templates expect."""
    import jinja2
    from jinja2 import nodes
    from jinja2.ext import Extension
    from jinja2.parser import Parser
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    class Generation(Extension):
        """Puts marks around what `{% generation %}` encloses."""

        tags = {"generation"}  # noqa: RUF012 - jinja2's own interface

        def parse(self, parser: Parser) -> nodes.Node:
            line = next(parser.stream).lineno
            body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
            call = self.call_method("_marked", [])
            return nodes.CallBlock(call, [], [], body).set_lineno(line)

        def _marked(self, caller: Callable[[], str]) -> str:
            return _OPEN + caller() + _CLOSE

    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=[Generation, "jinja2.ext.loopcontrols"],
    )
    environment.globals["raise_exception"] = _raise_exception
    environment.globals["strftime_now"] = lambda form: datetime.now().strftime(form)
    environment.filters["tojson"] = _to_json
    try:
        return environment.from_string(template)
    except jinja2.TemplateError as error:
        raise TokenizerError(
            f"the tokenizer's chat template is not valid Jinja: {error}. Mend chat_template.jinja."
        ) from error


def _raise_exception(message: str) -> NoReturn:
    import jinja2

    raise jinja2.TemplateError(message)


def _to_json(value: Any, indent: int | None = None) -> str:
    """Write JSON for a model to read: Chinese as it is, nothing escaped for HTML."""
    return json.dumps(value, ensure_ascii=False, indent=indent)


if __name__ == "__main__":
    from hanlin.tokenizers.bpe import train_bpe

    bpe = train_bpe(["你好，世界。你好，世界。"], 345)
    talk = [{"role": "user", "content": "你好"}, {"role": "assistant", "content": "世界"}]
    print(render_chat(bpe, talk)[0], *apply_chat_template(bpe, talk), sep="\n")
