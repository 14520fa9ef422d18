"""Every error that Hanlin raises on purpose, in one tree.

    HanlinError                 exit code 1   our fault, or the machine's
    ├── UserError               exit code 2   something the user can put right
    │   ├── RecipeError                       a recipe with an unknown or impossible value
    │   ├── DataError                         a corpus, a document or a shard that cannot be used
    │   ├── TokenizerError                    a tokenizer that does not fit the text or the model
    │   ├── ModelError                        a folder that holds no model that we can read
    │   ├── RunError                          a run folder that is locked, changed or unwritable
    │   └── MissingExtraError                 an optional package that is not installed
    ├── BusyError               exit code 1   more requests than are taken on at once
    ├── NotFiniteError          exit code 1   a model whose numbers are none, met in a text
    ├── CheckpointError         exit code 1   a state that cannot be saved or restored
    ├── StoppedError            exit code 3   stopped by a signal, with the state saved
    └── QualityGateError        exit code 4   a quality gate that was not met

A message is a full sentence that names what, where, the value, and the way out.
"""

from __future__ import annotations

import importlib
from types import ModuleType

__all__ = [
    "BusyError",
    "CheckpointError",
    "DataError",
    "HanlinError",
    "MissingExtraError",
    "ModelError",
    "NotFiniteError",
    "QualityGateError",
    "RecipeError",
    "RunError",
    "StoppedError",
    "TokenizerError",
    "UserError",
    "require",
]


class HanlinError(Exception):
    """The root of all errors raised on purpose; `exit_code` is what the command line returns."""

    exit_code = 1


class UserError(HanlinError):
    """Something that the user can put right."""

    exit_code = 2


class RecipeError(UserError):
    """A recipe with an unknown key or an impossible value."""


class DataError(UserError):
    """A corpus, a document or a token shard that cannot be used."""


class TokenizerError(UserError):
    """A tokenizer that does not fit the text or the model."""


class ModelError(UserError):
    """A folder that holds no model that can be read."""


class RunError(UserError):
    """A run folder that is locked, changed or unwritable."""


class MissingExtraError(UserError):
    """An optional package that is not installed."""


class BusyError(HanlinError):
    """More requests than are taken on at once; the same request may succeed later."""


class NotFiniteError(HanlinError):
    """A model that computes numbers that are none, where a text came to them."""


class CheckpointError(HanlinError):
    """A state that cannot be saved or restored."""


class StoppedError(HanlinError):
    """Stopped by a signal, with the state saved."""

    exit_code = 3


class QualityGateError(HanlinError):
    """A quality gate that was not met."""

    exit_code = 4


def require(module: str, *, extra: str, purpose: str) -> ModuleType:
    """Import an optional package, or say in one sentence how to install it.

    >>> require("json", extra="data", purpose="Reading JSON").__name__
    'json'
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise MissingExtraError(
            f"{purpose} needs the package `{module.split('.')[0]}`. "
            f"Install it with: pip install 'hanlin[{extra}]'"
        ) from error
