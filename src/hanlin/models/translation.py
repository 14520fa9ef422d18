"""`config.json` as transformers writes it, to and from `ModelConfig`.

A folder may ask for what our decoder does not do (scaled rotary positions, another activation, a
window on some layers only). Such a folder is refused by name; nothing is passed over in silence.

    python -m hanlin.models.translation
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from hanlin.config import ModelConfig
from hanlin.errors import ModelError
from hanlin.models.names import layout
from hanlin.models.presets import resolve_model

__all__ = ["READABLE", "from_hf_config", "to_hf_config"]

READABLE = ("gpt2", "gpt_neo", "llama", "qwen2", "qwen3")
"""The values of `model_type` that can be read."""

_CLASSES = {
    "gpt2": "GPT2LMHeadModel",
    "gpt_neo": "GPTNeoForCausalLM",
    "llama": "LlamaForCausalLM",
    "qwen2": "Qwen2ForCausalLM",
    "qwen3": "Qwen3ForCausalLM",
}

# Keys that change what a model computes, with the only values that our decoder computes. A value
# that is absent is taken as the first of those.
_ONLY: dict[str, dict[str, tuple[Any, ...]]] = {
    "gpt2": {
        "activation_function": ("gelu_new", "gelu_pytorch_tanh"),
        "scale_attn_weights": (True,),
        "scale_attn_by_inverse_layer_idx": (False,),
        "add_cross_attention": (False,),
    },
    "gpt_neo": {"activation_function": ("gelu_new", "gelu_pytorch_tanh")},
    "llama": {"hidden_act": ("silu",), "attention_bias": (False,), "mlp_bias": (False,)},
    "qwen2": {"hidden_act": ("silu",)},
    "qwen3": {"hidden_act": ("silu",), "attention_bias": (False,)},
}

_ROPE_THETA = 10_000.0


def to_hf_config(
    config: ModelConfig, *, eos_token_id: int | None = None, dtype: str = "float32"
) -> dict[str, Any]:
    """Return the `config.json` of a model; `eos_token_id` also begins and pads texts."""
    model_type = layout(config)
    return {
        "architectures": [_CLASSES[model_type]],
        "model_type": model_type,
        "vocab_size": config.vocab_size,
        **_SHAPES[model_type](config),
        "tie_word_embeddings": config.tie_embeddings,
        "bos_token_id": eos_token_id,
        "eos_token_id": eos_token_id,
        "pad_token_id": eos_token_id,
        "initializer_range": 0.02,
        "use_cache": True,
        "dtype": dtype,
        # The llama layouts have no place for our dropout, which only training reads.
        **({"hanlin": {"dropout": config.dropout}} if config.dropout else {}),
    }


def from_hf_config(raw: Mapping[str, Any], where: str) -> ModelConfig:
    """Return the shape that a `config.json` describes; `where` names it in messages.

    Raises:
        ModelError: if the folder holds a model that our decoder does not compute exactly.
    """
    model_type = raw.get("model_type")
    if model_type not in READABLE:
        raise ModelError(
            f"model_type {model_type!r} in {where} is not a decoder that can be read. "
            f"Take a folder of one of: {', '.join(READABLE)}."
        )
    for key, allowed in _ONLY[model_type].items():
        if raw.get(key, allowed[0]) not in allowed:
            raise ModelError(
                f"{key} {raw[key]!r} in {where} is not supported for {model_type}; "
                f"only {' or '.join(map(repr, allowed))} is. Take another model."
            )
    try:
        fields = _READERS[model_type](raw, where)
        dropout = raw.get("hanlin", {}).get("dropout", 0.0)
        shape = ModelConfig(vocab_size=raw["vocab_size"], dropout=dropout, **fields)
    except KeyError as error:
        raise ModelError(
            f"{error.args[0]} is missing from {where}, or the file is not a transformers "
            f"{model_type} configuration. Take the folder anew from where it came from."
        ) from error
    except ValidationError as error:
        reasons = "; ".join(f"{'.'.join(map(str, e['loc']))} {e['msg']}" for e in error.errors())
        raise ModelError(f"The shape in {where} is impossible: {reasons}.") from error
    return resolve_model(shape, shape.vocab_size)


def _gpt2_shape(config: ModelConfig) -> dict[str, Any]:
    return {
        "n_positions": config.context_length,
        "n_embd": config.hidden_size,
        "n_layer": config.num_layers,
        "n_head": config.num_heads,
        "n_inner": config.resolved_intermediate_size,
        "activation_function": "gelu_new",
        "layer_norm_epsilon": config.norm_eps,
        "resid_pdrop": config.dropout,
        "embd_pdrop": config.dropout,
        "attn_pdrop": 0.0,
    }


def _neo_shape(config: ModelConfig) -> dict[str, Any]:
    pairs, odd = divmod(config.num_layers, 2)
    types: list[list[Any]] = [[["global", "local"], pairs]] if pairs else []
    return {
        "max_position_embeddings": config.context_length,
        "hidden_size": config.hidden_size,
        "num_layers": config.num_layers,
        "num_heads": config.num_heads,
        "intermediate_size": config.resolved_intermediate_size,
        "activation_function": "gelu_new",
        "layer_norm_epsilon": config.norm_eps,
        "attention_types": types + ([[["global"], 1]] if odd else []),
        "window_size": config.band_width,
        "resid_dropout": config.dropout,
        "embed_dropout": config.dropout,
        "attention_dropout": 0.0,
    }


def _llama_shape(config: ModelConfig) -> dict[str, Any]:
    shape: dict[str, Any] = {
        "max_position_embeddings": config.context_length,
        "hidden_size": config.hidden_size,
        "num_hidden_layers": config.num_layers,
        "num_attention_heads": config.num_heads,
        "num_key_value_heads": config.resolved_kv_heads,
        "head_dim": config.resolved_head_dim,
        "intermediate_size": config.resolved_intermediate_size,
        "hidden_act": "silu",
        "rms_norm_eps": config.norm_eps,
        # The first is read by programs of before transformers 5, the second by those after.
        "rope_theta": config.rope_theta,
        "rope_parameters": {"rope_type": "default", "rope_theta": config.rope_theta},
        "attention_dropout": 0.0,
    }
    if config.family != "qwen2":
        shape["attention_bias"] = False
    if config.family == "llama":
        return {**shape, "mlp_bias": False}
    if config.attention == "dense":
        return {**shape, "use_sliding_window": False, "sliding_window": None}
    kinds = ["full_attention", "sliding_attention"]
    return {
        **shape,
        "use_sliding_window": True,
        "sliding_window": config.band_width,
        "max_window_layers": 0,
        "layer_types": [kinds[layer % 2] for layer in range(config.num_layers)],
    }


def _read_gpt2(raw: Mapping[str, Any], where: str) -> dict[str, Any]:
    return {
        "family": "gpt2",
        "context_length": raw["n_positions"],
        "hidden_size": raw["n_embd"],
        "num_layers": raw["n_layer"],
        "num_heads": raw["n_head"],
        "intermediate_size": raw.get("n_inner") or 4 * raw["n_embd"],
        "norm_eps": raw.get("layer_norm_epsilon", 1e-5),
        "tie_embeddings": raw.get("tie_word_embeddings", True),
    }


def _read_neo(raw: Mapping[str, Any], where: str) -> dict[str, Any]:
    kinds = [kind for group, times in raw["attention_types"] for kind in group * times]
    _require_alternating(kinds, ("global", "local"), "attention_types", where)
    return {
        "family": "gpt2",
        "attention": "banded",
        "band_width": raw["window_size"],
        "context_length": raw["max_position_embeddings"],
        "hidden_size": raw["hidden_size"],
        "num_layers": raw["num_layers"],
        "num_heads": raw["num_heads"],
        "intermediate_size": raw.get("intermediate_size") or 4 * raw["hidden_size"],
        "norm_eps": raw.get("layer_norm_epsilon", 1e-5),
        "tie_embeddings": raw.get("tie_word_embeddings", True),
    }


def _read_llama(raw: Mapping[str, Any], where: str) -> dict[str, Any]:
    heads = raw["num_attention_heads"]
    # Qwen3 is the one whose heads are 128 wide if the file is silent.
    head_dim = raw.get("head_dim") or (
        128 if raw["model_type"] == "qwen3" else raw["hidden_size"] // heads
    )
    return {
        "family": raw["model_type"],
        "context_length": raw["max_position_embeddings"],
        "hidden_size": raw["hidden_size"],
        "num_layers": raw["num_hidden_layers"],
        "num_heads": heads,
        "num_kv_heads": raw.get("num_key_value_heads") or heads,
        "head_dim": head_dim,
        "intermediate_size": raw["intermediate_size"],
        "norm_eps": raw.get("rms_norm_eps", 1e-6),
        "rope_theta": _rope_theta(raw, where),
        "tie_embeddings": raw.get("tie_word_embeddings", False),
        **_band(raw, where),
    }


def _rope_theta(raw: Mapping[str, Any], where: str) -> float:
    rope = {**(raw.get("rope_scaling") or {}), **(raw.get("rope_parameters") or {})}
    kind = rope.get("rope_type", rope.get("type", "default"))
    if kind != "default" or rope.get("partial_rotary_factor", 1.0) != 1.0:
        raise ModelError(
            f"Scaled or partial rotary positions ({rope}) in {where} are not supported. "
            "Take a model with plain rotary positions."
        )
    return float(rope.get("rope_theta", raw.get("rope_theta", _ROPE_THETA)))


def _band(raw: Mapping[str, Any], where: str) -> dict[str, Any]:
    kinds: Sequence[str] | None = raw.get("layer_types")
    if raw["model_type"] == "llama" or not raw.get("use_sliding_window"):
        return {}
    if kinds is None:
        first = raw.get("max_window_layers", 28)
        count = raw["num_hidden_layers"]
        kinds = ["full_attention"] * min(first, count) + ["sliding_attention"] * (count - first)
    if "sliding_attention" not in kinds:
        return {}
    _require_alternating(kinds, ("full_attention", "sliding_attention"), "layer_types", where)
    return {"attention": "banded", "band_width": raw["sliding_window"]}


def _require_alternating(kinds: Sequence[str], pair: tuple[str, str], key: str, where: str) -> None:
    if list(kinds) != [pair[layer % 2] for layer in range(len(kinds))]:
        raise ModelError(
            f"{key} in {where} is {list(kinds)}. Windows are supported where layers alternate "
            f"{pair[0]}, {pair[1]} from the first on. Take another model."
        )


_SHAPES = {
    "gpt2": _gpt2_shape,
    "gpt_neo": _neo_shape,
    "llama": _llama_shape,
    "qwen2": _llama_shape,
    "qwen3": _llama_shape,
}
_READERS = {
    "gpt2": _read_gpt2,
    "gpt_neo": _read_neo,
    "llama": _read_llama,
    "qwen2": _read_llama,
    "qwen3": _read_llama,
}


if __name__ == "__main__":
    import json

    print(json.dumps(to_hf_config(ModelConfig(vocab_size=8192)), indent=2))
