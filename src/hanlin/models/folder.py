"""A released model: a folder in Hugging Face layout, written whole and read with suspicion.

    config.json              the shape, as transformers names it
    model.safetensors        the weights, as transformers names them; above 2 GB in shards with
                             model.safetensors.index.json
    generation_config.json   how texts begin, end and are drawn
    README.md                the model card, if one is given
    tokenizer.json ...       whatever the tokenizer writes of itself
    expansions/              what a stage put beside these weights; hanlin.models.expansion.storage
    heads/                   output nodes that say labels; hanlin.models.head_folder

A quantised folder holds codes in place of weights; hanlin.models.packed_folder tells how.

Tied weights are stored once. The header of each file of weights holds a SHA-256 of them, so that a
folder that was altered on disk or on the way is noticed. No pickle is ever opened.

    python -m hanlin.models.folder
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from hanlin.config import ModelConfig, SamplingConfig
from hanlin.errors import ModelError
from hanlin.models.decoder import Decoder
from hanlin.models.expansion import (
    Expansion,
    apply_expansion,
    choose_expansion,
    read_expansion,
    write_expansion,
)
from hanlin.models.head_folder import ReleasedHead, write_head
from hanlin.models.names import from_released, rules, to_released
from hanlin.models.packed_config import read_config, read_quantisation
from hanlin.models.packed_folder import load_packed
from hanlin.models.proposals import as_proposal
from hanlin.models.quantised import QuantisedDecoder
from hanlin.models.translation import to_hf_config
from hanlin.models.weights import digest_tensors, read_weights, write_weights
from hanlin.records import atomic_directory, write_json, write_text

if TYPE_CHECKING:
    from hanlin.tokenizers import Tokenizer

__all__ = [
    "load_release",
    "read_config",
    "read_learnt",
    "read_quantisation",
    "save_expansion",
    "save_release",
]


def save_release(
    folder: Path,
    model: Decoder,
    *,
    tokenizer: Tokenizer | None = None,
    card: str | None = None,
    sampling: SamplingConfig | None = None,
    dtype: torch.dtype | None = None,
    learnt: Sequence[str] = (),
    heads: Sequence[ReleasedHead] = (),
) -> None:
    """Write a model as a folder that takes the place of `folder` once it is whole.

    `card` is the text of README.md, `sampling` what generation_config.json proposes, `dtype` that
    of the stored weights (the model's own if None), and `learnt` names what it was taught besides
    plain text, such as `infill`; it is kept where other readers pass over it. `heads` say labels.

    Raises:
        ModelError: the model is quantised; `hanlin quantize` writes those.
    """
    if isinstance(model, QuantisedDecoder):
        raise ModelError(
            f"A quantised model cannot be released as weights in {folder}. Release its original."
        )
    stored = dtype or model.embedding.weight.dtype
    name = str(stored).removeprefix("torch.")
    eos = tokenizer.eot_id if tokenizer is not None else None
    tensors = to_released(model.state_dict(), model.config)
    with atomic_directory(Path(folder)) as target:
        if tokenizer is not None:
            tokenizer.save(target)
        config = to_hf_config(model.config, eos_token_id=eos, dtype=name)
        write_json(target / "config.json", config)
        generation = _generation_config(tokenizer, sampling)
        if learnt:
            generation["hanlin"] = {"learnt": list(learnt)}
        write_json(target / "generation_config.json", generation)
        if card is not None:
            write_text(target / "README.md", card)
        write_weights(target, {key: value.to("cpu", stored) for key, value in tensors.items()})
        for head in heads:
            write_head(target, head)


def load_release(
    folder: Path,
    *,
    dtype: torch.dtype = torch.float32,
    device: torch.device | str = "cpu",
    expansion: str | None = None,
    to_learn: bool = False,
) -> Decoder:
    """Read a model from a folder of ours or of transformers, ready to generate (`eval` mode).

    A quantised folder gives a model whose matrices stay packed and that cannot learn; `to_learn`
    says that the model is to, so that such a folder is refused.

    Where expansions lie beside the weights, `expansion` names the one that is merged with them;
    None takes the folder's default, and an empty string leaves the core as it is.

    Raises:
        ModelError: if the folder is missing, incomplete, altered, of an unknown kind, or holds
            its weights only as a pickle; or if there is no such expansion, or it belongs to other
            weights.
    """
    folder = Path(folder)
    quantisation = read_quantisation(folder)
    if quantisation is not None and not to_learn:
        choose_expansion(folder, expansion)  # refuses one that is not there
        return load_packed(folder, read_config(folder), quantisation, dtype=dtype, device=device)
    config, tensors = _read_core(folder)
    name = choose_expansion(folder, expansion)
    if not name:
        return _assemble(config, tensors, dtype, device)
    core = _assemble(config, tensors, torch.float32, "cpu")
    found = read_expansion(folder, name, core=digest_tensors(tensors))
    return apply_expansion(core, found).to(device, dtype)


def save_expansion(
    folder: Path, core: Path, name: str, expansion: Expansion, *, card: str | None = None
) -> None:
    """Write a folder that holds the core's as it is, and beside it an expansion, its new default.

    Expansions that lie beside the core already come along. `card` is the text of the expansion's
    own README.md.

    Raises:
        ModelError: the core's folder cannot be read, or has an expansion of that name.
    """
    _, tensors = _read_core(core)
    with atomic_directory(Path(folder)) as target:
        shutil.copytree(core, target, dirs_exist_ok=True)
        place = write_expansion(target, name, expansion, core=digest_tensors(tensors))
        if card is not None:
            write_text(place / "README.md", card)


def _read_core(folder: Path) -> tuple[ModelConfig, dict[str, Tensor]]:
    config = read_config(folder)
    if read_quantisation(folder) is not None:
        raise ModelError(
            f"The weights in {folder} are quantised: they can be used, but nothing can be learnt "
            "or built from them. Take the folder that they were quantised from."
        )
    with torch.device("meta"):
        model = Decoder(config)
    expected: dict[str, tuple[int, ...]] = {}
    shapes = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    for rule in rules(config):
        expected |= rule.shapes(shapes[rule.ours])
    return config, read_weights(folder, expected)


def _assemble(
    config: ModelConfig,
    tensors: Mapping[str, Tensor],
    dtype: torch.dtype,
    device: torch.device | str,
) -> Decoder:
    with torch.device("meta"):
        model = Decoder(config)
    state = {
        name: tensor.to(device, dtype, copy=True).contiguous()
        for name, tensor in from_released(tensors, config).items()
    }
    model.load_state_dict(state, assign=True)
    for parameter in model.parameters():
        parameter.requires_grad_()
    return model.eval()


def read_learnt(folder: Path) -> tuple[str, ...]:
    """Return what the model in a folder was taught besides plain text, such as `infill`."""
    try:
        raw = json.loads((Path(folder) / "generation_config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return ()
    own = raw.get("hanlin") if isinstance(raw, dict) else None
    learnt = own.get("learnt") if isinstance(own, dict) else None
    return tuple(map(str, learnt)) if isinstance(learnt, list) else ()


def _generation_config(
    tokenizer: Tokenizer | None, sampling: SamplingConfig | None
) -> dict[str, Any]:
    settings: dict[str, Any] = {"_from_model_config": tokenizer is None}
    if tokenizer is not None:
        ends = [tokenizer.eot_id]
        if (turn := tokenizer.control.get("<|im_end|>")) is not None:
            ends.append(turn)
        eot = tokenizer.eot_id
        settings = {"bos_token_id": eot, "eos_token_id": ends, "pad_token_id": eot}
    if sampling is not None:
        settings |= as_proposal(sampling)
    return settings


if __name__ == "__main__":
    import tempfile

    from hanlin.models.build import build_model

    shape = ModelConfig(vocab_size=512, hidden_size=64, num_layers=2, num_heads=2)
    with tempfile.TemporaryDirectory() as directory:
        place = Path(directory) / "model"
        save_release(place, build_model(shape, seed=1), card="# A tiny model\n")
        print(sorted(file.name for file in place.iterdir()))
        print(load_release(place).config)
