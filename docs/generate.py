"""Write the reference pages from the code, or check that they are what the code says.

python docs/generate.py            writes docs/reference/{cli,recipe,python}.md
python docs/generate.py --check    ends with 1 if a page differs
"""

from __future__ import annotations

import contextlib
import inspect
import io
import os
import re
import sys
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel
from pydantic_core import PydanticUndefined

import hanlin
from hanlin.cli import VERBS, main
from hanlin.config import Recipe

REFERENCE = Path(__file__).parent / "reference"


def command_line() -> str:
    """Return the help of every verb, as the terminal shows it."""
    lines = ["# The command line", "", "Generated from `hanlin VERB --help`.", ""]
    lines += ["```text", _help_of([]).strip(), "```"]
    for group, verbs in VERBS.items():
        lines += ["", f"## {group}"]
        for verb, summary in verbs.items():
            lines += ["", f"### `hanlin {verb}`", "", f"{summary[0].upper()}{summary[1:]}."]
            lines += ["", "```text", _help_of([verb]), "```"]
            usage = _help_of([verb]).splitlines()[0]
            for inner in re.findall(r"\[-h\] \{([a-z,]+)\}$", usage):
                for name in inner.split(","):
                    lines += ["", "```text", _help_of([verb, name]), "```"]
    return "\n".join(lines) + "\n"


def recipe() -> str:
    """Return every key of a recipe with its type, default and meaning."""
    lines = ["# The recipe", "", "Every key, generated from the types that check it."]
    _describe(Recipe, "", lines)
    return "\n".join(lines) + "\n"


def python() -> str:
    """Return the public Python names with their signatures and docstrings."""
    lines = ["# Python", "", "```python", "import hanlin", "```"]
    for name in hanlin.__all__:
        value = getattr(hanlin, name)
        if isinstance(value, str):
            continue
        lines += ["", f"## `hanlin.{name}`", "", "```text", inspect.getdoc(value) or "", "```"]
        members = inspect.getmembers(value, inspect.isfunction) if inspect.isclass(value) else []
        for member, function in members:
            if member.startswith("_"):
                continue
            lines += ["", f"- `{member}{inspect.signature(function)}`: {_first_line(function)}"]
    return "\n".join(lines) + "\n"


def _help_of(arguments: list[str]) -> str:
    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.suppress(SystemExit):
        main([*arguments, "--help"])
    return "\n".join(line.rstrip() for line in out.getvalue().strip().splitlines())


def _describe(model: type[BaseModel], key: str, lines: list[str]) -> None:
    title = key or "the top level"
    lines += ["", f"## {title}", "", (inspect.getdoc(model) or "").strip(), ""]
    lines += ["| key | type | default | meaning |", "|---|---|---|---|"]
    inner: list[tuple[type[BaseModel], str]] = []
    for name, field in model.model_fields.items():
        shown = field.alias or name
        nested = _model_in(field.annotation)
        many = "[[...]]" if nested and "tuple" in str(field.annotation) else ""
        if nested:
            inner.append((nested, f"{key}.{shown}".strip(".")))
        required = nested and field.is_required()
        default = "required" if required else "" if nested else _default(field.default)
        kind = f"table{many}" if nested else _type(field.annotation)
        meaning = (field.description or "").replace("\n", " ").replace("|", "\\|")
        lines.append(f"| `{shown}` | {kind} | {default} | {meaning} |")
    for nested, path in inner:
        _describe(nested, path, lines)


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for a in get_args(annotation) if (found := _model_in(a))), None)


def _type(annotation: Any) -> str:
    if isinstance(annotation, type):
        return f"{annotation.__name__}"
    return str(annotation).replace("typing.", "").replace("NoneType", "None").replace("|", "or")


def _default(value: Any) -> str:
    return "required" if value is PydanticUndefined else f"`{value!r}`"


def _first_line(value: Any) -> str:
    return (inspect.getdoc(value) or "").split("\n")[0]


def _main() -> int:
    pages = {"cli.md": command_line, "recipe.md": recipe, "python.md": python}
    stale = []
    for name, page in pages.items():
        path = REFERENCE / name
        text = page()
        if "--check" not in sys.argv:
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8")
        elif not path.exists() or path.read_text(encoding="utf-8") != text:
            stale.append(name)
    if stale:
        print(f"docs/reference is stale: {stale}. Run: python docs/generate.py", file=sys.stderr)
    return 1 if stale else 0


if __name__ == "__main__":
    os.environ.update(COLUMNS="100", NO_COLOR="1", TERM="dumb")
    sys.exit(_main())
