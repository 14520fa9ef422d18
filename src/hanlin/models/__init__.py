"""Models: the decoder and its sizes, its cache, and released folders in Hugging Face layout.

Names are imported when they are first asked for: most need torch, and what does without, such as
the native engine, must not wait for it.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hanlin.models.build import build_model, initialise
    from hanlin.models.cache import KVCache
    from hanlin.models.counting import (
        ParameterCount,
        cache_bytes,
        count_parameters,
        flops_per_token,
        forward_flops_per_token,
    )
    from hanlin.models.decoder import Decoder
    from hanlin.models.finding import find_release
    from hanlin.models.folder import (
        load_release,
        read_config,
        read_learnt,
        read_quantisation,
        save_expansion,
        save_release,
    )
    from hanlin.models.packed_folder import write_packed
    from hanlin.models.presets import PRESETS, resolve_model
    from hanlin.models.proposals import propose_sampling, read_proposal
    from hanlin.models.quantised import QuantisedDecoder

__all__ = [
    "PRESETS",
    "Decoder",
    "KVCache",
    "ParameterCount",
    "QuantisedDecoder",
    "build_model",
    "cache_bytes",
    "count_parameters",
    "find_release",
    "flops_per_token",
    "forward_flops_per_token",
    "initialise",
    "load_release",
    "propose_sampling",
    "read_config",
    "read_learnt",
    "read_proposal",
    "read_quantisation",
    "resolve_model",
    "save_expansion",
    "save_release",
    "write_packed",
]

_PLACES = {
    "Decoder": "hanlin.models.decoder",
    "KVCache": "hanlin.models.cache",
    "PRESETS": "hanlin.models.presets",
    "ParameterCount": "hanlin.models.counting",
    "QuantisedDecoder": "hanlin.models.quantised",
    "build_model": "hanlin.models.build",
    "cache_bytes": "hanlin.models.counting",
    "count_parameters": "hanlin.models.counting",
    "find_release": "hanlin.models.finding",
    "flops_per_token": "hanlin.models.counting",
    "forward_flops_per_token": "hanlin.models.counting",
    "initialise": "hanlin.models.build",
    "load_release": "hanlin.models.folder",
    "propose_sampling": "hanlin.models.proposals",
    "read_config": "hanlin.models.folder",
    "read_learnt": "hanlin.models.folder",
    "read_proposal": "hanlin.models.proposals",
    "read_quantisation": "hanlin.models.folder",
    "resolve_model": "hanlin.models.presets",
    "save_expansion": "hanlin.models.folder",
    "save_release": "hanlin.models.folder",
    "write_packed": "hanlin.models.packed_folder",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for."""
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(_PLACES[name]), name)
    globals()[name] = value
    return value
