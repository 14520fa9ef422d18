"""Models: the decoder and its sizes, its cache, and released folders in Hugging Face layout.

Names are imported when they are first asked for: most need torch, and what does without, such as
the native engine, must not wait for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hanlin.lazy import import_lazily

if TYPE_CHECKING:
    from hanlin.models.build import build_model, initialise
    from hanlin.models.cache import KVCache
    from hanlin.models.counting import (
        ParameterCount,
        cache_bytes,
        count_parameters,
        flops_per_token,
        forward_flops_per_token,
        step_flops_per_token,
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
    from hanlin.models.head_folder import (
        ReleasedHead,
        choose_head,
        list_heads,
        read_head,
        read_heads,
    )
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
    "find_release",
    "flops_per_token",
    "forward_flops_per_token",
    "initialise",
    "list_heads",
    "load_release",
    "propose_sampling",
    "read_config",
    "read_head",
    "read_heads",
    "read_learnt",
    "read_proposal",
    "read_quantisation",
    "resolve_model",
    "save_expansion",
    "save_release",
    "step_flops_per_token",
    "write_packed",
]

_PLACES = {
    "PRESETS": "hanlin.models.presets",
    "ClassifierHead": "hanlin.models.heads",
    "Decoder": "hanlin.models.decoder",
    "KVCache": "hanlin.models.cache",
    "PagedCache": "hanlin.models.paged",
    "PagedPass": "hanlin.models.paged",
    "ParameterCount": "hanlin.models.counting",
    "QuantisedDecoder": "hanlin.models.quantised",
    "ReleasedHead": "hanlin.models.head_folder",
    "Stretch": "hanlin.models.paged",
    "attach_heads": "hanlin.models.heads",
    "build_head": "hanlin.models.heads",
    "build_model": "hanlin.models.build",
    "cache_bytes": "hanlin.models.counting",
    "choose_head": "hanlin.models.head_folder",
    "classify_embeddings": "hanlin.models.heads",
    "classify_ids": "hanlin.models.heads",
    "count_parameters": "hanlin.models.counting",
    "detach_heads": "hanlin.models.heads",
    "find_release": "hanlin.models.finding",
    "flops_per_token": "hanlin.models.counting",
    "forward_flops_per_token": "hanlin.models.counting",
    "initialise": "hanlin.models.build",
    "list_heads": "hanlin.models.head_folder",
    "load_release": "hanlin.models.folder",
    "propose_sampling": "hanlin.models.proposals",
    "read_config": "hanlin.models.folder",
    "read_head": "hanlin.models.head_folder",
    "read_heads": "hanlin.models.head_folder",
    "read_learnt": "hanlin.models.folder",
    "read_proposal": "hanlin.models.proposals",
    "read_quantisation": "hanlin.models.folder",
    "resolve_model": "hanlin.models.presets",
    "save_expansion": "hanlin.models.folder",
    "save_release": "hanlin.models.folder",
    "step_flops_per_token": "hanlin.models.counting",
    "write_packed": "hanlin.models.packed_folder",
}

__getattr__ = import_lazily(__name__, _PLACES)
