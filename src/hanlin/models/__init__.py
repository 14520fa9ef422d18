"""Models: the decoder and its sizes, its cache, and released folders in Hugging Face layout."""

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
from hanlin.models.folder import load_release, read_config, save_expansion, save_release
from hanlin.models.presets import PRESETS, resolve_model

__all__ = [
    "PRESETS",
    "Decoder",
    "KVCache",
    "ParameterCount",
    "build_model",
    "cache_bytes",
    "count_parameters",
    "flops_per_token",
    "forward_flops_per_token",
    "initialise",
    "load_release",
    "read_config",
    "resolve_model",
    "save_expansion",
    "save_release",
]
