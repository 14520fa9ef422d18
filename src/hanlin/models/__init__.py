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
from hanlin.models.folder import (
    load_release,
    read_config,
    read_learnt,
    read_quantisation,
    save_expansion,
    save_release,
)
from hanlin.models.packed_folder import write_packed
from hanlin.models.paged import PagedCache, PagedPass, Stretch
from hanlin.models.presets import PRESETS, resolve_model
from hanlin.models.proposals import propose_sampling, read_proposal
from hanlin.models.quantised import QuantisedDecoder

__all__ = [
    "PRESETS",
    "Decoder",
    "KVCache",
    "PagedCache",
    "PagedPass",
    "ParameterCount",
    "QuantisedDecoder",
    "Stretch",
    "build_model",
    "cache_bytes",
    "count_parameters",
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
