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
from hanlin.models.head_folder import ReleasedHead, choose_head, list_heads, read_head
from hanlin.models.heads import (
    ClassifierHead,
    attach_heads,
    build_head,
    classify_embeddings,
    classify_ids,
    detach_heads,
)
from hanlin.models.packed_folder import write_packed
from hanlin.models.paged import PagedCache, PagedPass, Stretch
from hanlin.models.presets import PRESETS, resolve_model
from hanlin.models.proposals import propose_sampling, read_proposal
from hanlin.models.quantised import QuantisedDecoder

__all__ = [
    "PRESETS",
    "ClassifierHead",
    "Decoder",
    "KVCache",
    "PagedCache",
    "PagedPass",
    "ParameterCount",
    "QuantisedDecoder",
    "ReleasedHead",
    "Stretch",
    "attach_heads",
    "build_head",
    "build_model",
    "cache_bytes",
    "choose_head",
    "classify_embeddings",
    "classify_ids",
    "count_parameters",
    "detach_heads",
    "flops_per_token",
    "forward_flops_per_token",
    "initialise",
    "list_heads",
    "load_release",
    "propose_sampling",
    "read_config",
    "read_head",
    "read_learnt",
    "read_proposal",
    "read_quantisation",
    "resolve_model",
    "save_expansion",
    "save_release",
    "write_packed",
]
