"""What a flag's help says: the docstring below its field, as one paragraph, and a plain type.

tyro keeps the line breaks of an indented docstring, and calls a value that may be missing
`{None}|INT`; a reader of the help has use for neither.

    python -m hanlin generate --help
"""

from __future__ import annotations

import dataclasses
import inspect
import types
from pathlib import Path
from typing import Any, Union, get_args, get_origin, get_type_hints

from tyro.constructors import ConstructorRegistry, PrimitiveConstructorSpec, PrimitiveTypeInfo

__all__ = ["describe_fields", "plain_types", "summary"]

_METAVARS: dict[Any, str] = {int: "INT", float: "FLOAT", str: "STR", Path: "PATH"}


def summary(kind: type[Any], example: str) -> str:
    """Return what stands above the flags: what the verb does, and an example."""
    return f"{inspect.getdoc(kind) or ''}\n\nExample: {example}"


def describe_fields(kind: type[Any]) -> None:
    """Give each field of a dataclass the docstring below it as its help, in one paragraph."""
    if any("help" in field.metadata for field in dataclasses.fields(kind)):
        return  # a verb may read its flags twice
    documented: dict[str, str] = {}
    for base in reversed(kind.__mro__[:-1]):
        documented |= _docstrings(base)
    for field in dataclasses.fields(kind):
        if field.name in documented:
            help_text = {"help": " ".join(documented[field.name].split())}
            field.metadata = types.MappingProxyType({**field.metadata, **help_text})
    for inner in get_type_hints(kind).values():
        if dataclasses.is_dataclass(inner) and isinstance(inner, type):
            describe_fields(inner)
        elif hasattr(inner, "model_fields"):
            for name, text in _docstrings(inner, *inner.__mro__[1:]).items():
                if name in inner.model_fields:
                    inner.model_fields[name].description = " ".join(text.split())


def plain_types() -> ConstructorRegistry:
    """Return how values that may be missing are read and shown: as those that may not."""
    registry = ConstructorRegistry()
    registry.primitive_rule(_optional)
    return registry


def _optional(info: PrimitiveTypeInfo) -> PrimitiveConstructorSpec[Any] | None:
    kinds = get_args(info.type)
    inner = next((kind for kind in kinds if kind in _METAVARS), None)
    if get_origin(info.type) not in (types.UnionType, Union) or set(kinds) != {inner, type(None)}:
        return None
    read: Any = inner
    return PrimitiveConstructorSpec(
        nargs=1,
        metavar=_METAVARS[inner],
        instance_from_str=lambda given: read(given[0]),
        is_instance=lambda value: value is None or isinstance(value, read),
        str_from_instance=lambda value: [str(value)],
    )


def _docstrings(*kinds: type[Any]) -> dict[str, str]:
    from docstring_parser import parse_from_object

    found: dict[str, str] = {}
    for kind in kinds:
        if kind.__module__.startswith("hanlin"):
            named = {param.arg_name: param.description for param in parse_from_object(kind).params}
            found |= {name: text for name, text in named.items() if text}
    return found
