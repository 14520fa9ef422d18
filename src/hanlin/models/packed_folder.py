"""A quantised release: the folder of its original, with packed matrices in place of the weights.

config.json         the original's, under the type `hanlin-qwen3` (or another of ours), so that
                    no other program takes the codes for weights; `hanlin.quantisation` holds
                    the settings
model.safetensors   codes, scales and zeros by our own names, norms and biases as they were
heads/              classification heads in float32, now for the packed weights
all else            tokenizer, proposals, card: as in the original

python -m hanlin.models.packed_folder
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from hanlin.config import ModelConfig, QuantisationConfig
from hanlin.errors import ModelError
from hanlin.models.expansion import list_expansions
from hanlin.models.head_folder import ReleasedHead, write_head
from hanlin.models.packed_config import FORMAT, KEY, PREFIX
from hanlin.models.quantised import QuantisedDecoder
from hanlin.models.translation import to_hf_config
from hanlin.models.weights import read_weights, write_weights
from hanlin.records import write_json

__all__ = ["load_packed", "write_packed"]

_WEIGHTS = ("*.safetensors", "*.safetensors.index.json", "*.bin", "*.pt", "*.pth", "*.ckpt")
_SIZES = (
    *("num_hidden_layers", "num_layers", "n_layer", "intermediate_size", "n_inner"),
    *("max_window_layers", "layer_types", "attention_types"),
)
_LEFT = (*_WEIGHTS, "config.json", "expansions", "heads", "compression.json")


def write_packed(
    target: Path,
    model: QuantisedDecoder,
    original: Path,
    heads: Sequence[ReleasedHead] = (),
) -> None:
    """Fill a fresh folder with a quantised model and with what lies beside its original.

    Of the original's heads it keeps `heads`, those that were learnt on what was packed.
    """
    shutil.copytree(
        original, target, dirs_exist_ok=True, ignore=shutil.ignore_patterns(*_LEFT), symlinks=False
    )
    raw = json.loads((original / "config.json").read_text(encoding="utf-8"))
    own = raw.get("hanlin") if isinstance(raw.get("hanlin"), dict) else {}
    settings = {"format": FORMAT, **model.quantisation.model_dump(mode="json")}
    packed = {
        **raw,
        **_new_shape(raw, model.config),
        "architectures": ["HanlinForCausalLM"],
        "model_type": PREFIX + str(raw["model_type"]),
        "hanlin": {**own, KEY: settings},
    }
    write_json(target / "config.json", packed)
    write_weights(target, _stored(model))
    for head in heads:
        write_head(target, head)


def _new_shape(raw: Mapping[str, Any], config: ModelConfig) -> dict[str, Any]:
    """Return the sizes of a model that grew by an expansion, as its original's file names them."""
    ours = to_hf_config(config, eos_token_id=None, dtype="float32")
    return {key: ours[key] for key in _SIZES if key in raw and key in ours}


def load_packed(
    folder: Path,
    config: ModelConfig,
    quantisation: QuantisationConfig,
    *,
    dtype: torch.dtype,
    device: torch.device | str,
) -> QuantisedDecoder:
    """Read a quantised model, which computes in `dtype`.

    Raises:
        ModelError: the folder is incomplete, altered, or has expansions, which belong to other
            weights.
    """
    if list_expansions(folder):
        raise ModelError(
            f"{folder} holds quantised weights, and expansions that were learnt beside others. "
            "Quantise the original anew; its chosen expansion is merged on the way."
        )
    with torch.device("meta"):
        model = QuantisedDecoder(config, quantisation)
    wanted = model.state_dict()
    tensors = read_weights(
        folder,
        {name: tuple(tensor.shape) for name, tensor in wanted.items()},
        codes={name: t.dtype for name, t in wanted.items() if name.endswith(".codes")},
    )
    state = {name: _placed(tensor, dtype, device) for name, tensor in tensors.items()}
    model.load_state_dict(state, assign=True)
    return model.eval().requires_grad_(False)


def _stored(model: QuantisedDecoder) -> dict[str, Tensor]:
    """Return a model's tensors as they are stored: scales and zeros of 4 bits in float16.

    They were fitted as numbers of float16, so that nothing is lost.
    """
    state = {name: tensor.cpu().contiguous() for name, tensor in model.state_dict().items()}
    for name, codes in list(state.items()):
        root, _, leaf = name.rpartition(".")
        if leaf == "codes" and codes.dtype == torch.uint8:
            for part in (f"{root}.scales", f"{root}.zeros"):
                state[part] = state[part].half()
    return state


def _placed(tensor: Tensor, dtype: torch.dtype, device: torch.device | str) -> Tensor:
    kind = dtype if tensor.is_floating_point() else tensor.dtype
    return tensor.to(device, kind, copy=True).contiguous()


if __name__ == "__main__":
    import tempfile

    with tempfile.TemporaryDirectory() as directory:
        print(list_expansions(Path(directory)))
