"""The example runs from a data.txt to decoded sentences, in very few steps."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

_SCRIPT = Path(__file__).parents[2] / "examples" / "seq2seq_translation.py"
_TINY = ["--steps", "3", "--hidden-size", "8", "--batch", "8", "--pairs", "40"]


@pytest.fixture(scope="module")
def example() -> ModuleType:
    """Return the example as a module."""
    spec = importlib.util.spec_from_file_location("seq2seq_translation", _SCRIPT)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["seq2seq_translation"] = module
    spec.loader.exec_module(module)
    return module


def test_it_runs_at_both_levels_on_sentences_of_its_own(
    example: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shares = example.main([*_TINY, "--out", str(tmp_path)])
    assert set(shares) == {"word", "character"}
    assert all(0 <= share <= 1 for share in shares.values())
    printed = capsys.readouterr().out
    assert "h, c of [(1, 1, 8), (1, 1, 8)]" in printed
    assert "exactly right" in printed
    assert len((tmp_path / "data.txt").read_text(encoding="utf-8").splitlines()) == 40
    for half in ("encoder", "decoder"):
        assert (tmp_path / "character" / half / "model.safetensors").is_file()


def test_it_writes_chinese_characters_with_a_transformer_and_a_beam(
    example: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--to", "zh", "--level", "character", "--kind", "transformer", "--beam", "2"]
    example.main([*_TINY, *options, "--out", str(tmp_path)])
    assert "a cache" in capsys.readouterr().out


def test_it_reads_the_data_that_it_is_given(example: ModuleType, tmp_path: Path) -> None:
    data = tmp_path / "data.txt"
    lines = [f"number {n}\tnombre {n}" for n in range(12)]
    data.write_text("\n".join(lines), encoding="utf-8")
    options = ["--data", str(data), "--level", "word", "--out", str(tmp_path / "out")]
    assert set(example.main([*_TINY, *options])) == {"word"}


def test_what_is_held_out_is_never_learnt(example: ModuleType) -> None:
    pairs = [example.TextPair(f"s{n % 30}", f"t{n}") for n in range(60)]
    learnt, held_out = example.divide(pairs, 1)
    assert not {pair.source for pair in learnt} & {pair.source for pair in held_out}
    assert len(held_out) == 3
