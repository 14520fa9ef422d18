"""What augmentation teaches can be used, and a model that never learnt it says so."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import hanlin
from hanlin.api import Model
from hanlin.cli import main
from hanlin.config import ModelConfig, TrainingConfig
from hanlin.data import encode_marked
from hanlin.errors import ModelError, UserError
from hanlin.models import build_model, save_release
from hanlin.objectives import Markers, NextToken
from hanlin.text.augmentation import (
    FIM_MIDDLE,
    FIM_PREFIX,
    FIM_SUFFIX,
    REVERSE,
    SEPARATOR,
    Part,
)
from hanlin.tokenizers import train_tokenizer
from hanlin.training import train

STORY = "小猫在河边看见一条鱼。它跳进水里。鱼游走了。"
_PREFIX, _MIDDLE, _SUFFIX = "小猫在河边看见一条鱼。", "它跳进水里。", "鱼游走了。"


@pytest.fixture(scope="module")
def taught(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a release that knows one story by heart: its middle, and what comes before its end."""
    import numpy as np

    tokenizer = train_tokenizer("bpe", [STORY] * 2, 360)
    infill = (Part(FIM_PREFIX, _PREFIX), Part(FIM_SUFFIX, _SUFFIX), Part(FIM_MIDDLE, _MIDDLE))
    backwards = (Part(REVERSE, _SUFFIX), Part(SEPARATOR, _MIDDLE), Part(SEPARATOR, _PREFIX))
    rows = np.full((2, 65), -1, dtype=np.int32)
    for row, marked in zip(rows, (infill, backwards), strict=True):
        ids = [0, *encode_marked(marked, tokenizer).tolist(), 0]
        row[: len(ids)] = ids

    class Same:
        def batch(self, step: int, rank: int, world_size: int) -> np.ndarray:
            return rows

    shape = ModelConfig(
        vocab_size=tokenizer.vocab_size,
        hidden_size=32,
        num_layers=1,
        num_heads=2,
        context_length=64,
    )
    model, folder = build_model(shape, seed=1), tmp_path_factory.mktemp("taught")
    config = TrainingConfig(steps=80, batch_tokens=128, eval_every=100, sample_every=0)
    objective = NextToken(markers=Markers.of(tokenizer))
    train(model, objective, Same(), config, folder=folder / "training", seed=1)
    save_release(folder / "model", model, tokenizer=tokenizer, learnt=["infill", "reverse"])
    return folder / "model"


def _loaded(folder: Path) -> Model:
    model: Model = hanlin.load(folder)
    return model


def test_infill_writes_the_middle(taught: Path) -> None:
    assert _loaded(taught).infill(_PREFIX, _SUFFIX, temperature=0) == _MIDDLE


def test_reverse_writes_what_comes_before(taught: Path) -> None:
    assert _loaded(taught).reverse(_SUFFIX, temperature=0) == STORY


def test_the_verb_fills_in_and_writes_backwards(
    taught: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    common = ["generate", str(taught), "--temperature", "0"]
    assert main([*common, "--prompt", _PREFIX, "--suffix", _SUFFIX]) == 0
    assert capsys.readouterr().out == f"{STORY}\n"
    assert main([*common, "--prompt", _PREFIX, "--suffix", _SUFFIX, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["text"] == _MIDDLE
    assert main([*common, "--prompt", _SUFFIX, "--reverse"]) == 0
    assert capsys.readouterr().out == f"{STORY}\n"
    assert main([*common, "--prompt", _SUFFIX, "--reverse", "--suffix", "x"]) == 2
    assert "exclude each other" in capsys.readouterr().err


def test_nothing_to_write_towards_is_refused(taught: Path) -> None:
    with pytest.raises(UserError, match="Give the end"):
        _loaded(taught).reverse(" ")


def test_a_model_that_never_learnt_it_names_the_table_that_teaches_it(
    tiny_run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ModelError, match=r"never taught `infill`.*\[stages\.augment\]"):
        _loaded(tiny_run).infill("a", "b")
    assert main(["generate", str(tiny_run), "--prompt", "小猫", "--reverse"]) == 2
    assert "never taught `reverse`" in capsys.readouterr().err
