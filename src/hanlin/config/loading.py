"""Recipes from TOML, with `--set` overrides, and errors in plain words.

python -m hanlin.config.loading recipe.toml
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import tomli_w
from pydantic import BaseModel, ValidationError

from hanlin.config.recipe import Recipe
from hanlin.errors import RecipeError

__all__ = ["dump_recipe", "load_recipe", "parse_recipe"]

Table = dict[str, Any]


def load_recipe(path: Path, overrides: Sequence[str] = ()) -> Recipe:
    """Read a recipe file; `overrides` are `key.path=value` as after `--set`.

    Raises:
        RecipeError: the file is missing, is no TOML, or holds an unknown or impossible value.
    """
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise RecipeError(
            f"The recipe {path} does not exist. `hanlin new DIR --text PATH` writes one."
        ) from error
    except IsADirectoryError as error:
        raise RecipeError(f"The recipe {path} is a folder; give the TOML file in it.") from error
    except UnicodeDecodeError as error:
        raise RecipeError(f"The recipe {path} is not UTF-8 text: {error}.") from error
    except tomllib.TOMLDecodeError as error:
        raise RecipeError(f"The recipe {path} is not valid TOML: {error}.") from error
    for override in overrides:
        _set(table, override)
    return parse_recipe(table, where=str(path))


def parse_recipe(table: Table, *, where: str) -> Recipe:
    """Turn a table into a recipe; `where` names its origin in errors."""
    try:
        return Recipe.model_validate(table)
    except ValidationError as error:
        raise RecipeError(_explain(error, table, where)) from None


def dump_recipe(recipe: Recipe) -> str:
    """Return the resolved recipe as TOML text that reads back as the same recipe.

    Of the model only what was given is written: a preset fills in the rest, and a default that was
    written out would overrule it.
    """
    table = recipe.model_dump(mode="json", by_alias=True, exclude_none=True)
    table["model"] = recipe.model.model_dump(mode="json", exclude_unset=True)
    for written, stage in zip(table["stages"], recipe.stages, strict=True):
        if stage.model is not None:
            written["model"] = stage.model.model_dump(mode="json", exclude_unset=True)
    return tomli_w.dumps(table)


def _set(table: Table, override: str) -> None:
    key, separator, text = override.partition("=")
    if not separator or not key.strip():
        raise RecipeError(f"--set {override!r} has no value; write --set model.num_layers=8.")
    *path, last = key.strip().split(".")
    target: Any = table
    for name in path:
        target = _descend(target, name, override)
    if isinstance(target, list):
        target[_index(target, last, override)] = _value(text)
    elif isinstance(target, dict):
        target[last] = _value(text)
    else:
        raise RecipeError(f"--set {override!r}: {'.'.join(path)} is a single value, not a table.")


def _descend(target: Any, name: str, override: str) -> Any:
    if isinstance(target, list):
        return target[_index(target, name, override)]
    if not isinstance(target, dict):
        raise RecipeError(f"--set {override!r}: {name!r} lies inside a single value.")
    return target.setdefault(name, {})


def _index(items: list[Any], name: str, override: str) -> int:
    for position, item in enumerate(items):
        if name == str(position) or (isinstance(item, dict) and item.get("name") == name):
            return position
    raise RecipeError(f"--set {override!r}: there is no entry {name!r}; entries count from 0.")


def _value(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _explain(error: ValidationError, table: Table, where: str) -> str:
    problems = [dict(problem) for problem in error.errors()]
    lines = [_explain_one(p, where) for p in problems if not _follows_from_another(p, problems)]
    return "\n".join(dict.fromkeys(lines))


def _follows_from_another(problem: dict[str, Any], problems: list[dict[str, Any]]) -> bool:
    """Return whether a list is only too short because an entry of it is wrong."""
    place = problem["loc"]
    return problem["type"] == "too_short" and any(
        other is not problem and other["loc"][: len(place)] == place for other in problems
    )


def _explain_one(problem: dict[str, Any], where: str) -> str:
    location = [str(part) for part in problem["loc"]]
    key = ".".join(location) or "recipe"
    if problem["type"] == "extra_forbidden":
        nearest = _nearest_key(location)
        hint = f" Did you mean `{nearest}`?" if nearest else ""
        return f"{where}: unknown key `{key}`.{hint}"
    if problem["type"] == "missing":
        return f"{where}: the key `{key}` is missing."
    message = problem["msg"].removeprefix("Value error, ")
    given = problem.get("input")
    shown = f" (given: {given!r})" if isinstance(given, str | int | float | bool) else ""
    return f"{where}: `{key}`: {message}{shown}."


def _nearest_key(location: list[str]) -> str:
    known = _keys_at(location[:-1])
    found = difflib.get_close_matches(location[-1], known, n=1, cutoff=0.5)
    return found[0] if found else ""


def _keys_at(location: list[str]) -> list[str]:
    current: type[BaseModel] = Recipe
    for part in location:
        if part.isdigit():
            continue
        field = next(
            (f for name, f in current.model_fields.items() if part in (name, f.alias)), None
        )
        inner = _model_in(field.annotation) if field else None
        if inner is None:
            return []
        current = inner
    return [field.alias or name for name, field in current.model_fields.items()]


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for argument in getattr(annotation, "__args__", ()):
        found = _model_in(argument)
        if found:
            return found
    return None


if __name__ == "__main__":
    import sys

    print(dump_recipe(load_recipe(Path(sys.argv[1]), sys.argv[2:])))
