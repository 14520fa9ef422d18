"""`hanlin export` on a real run."""

from __future__ import annotations

import json

import pytest

from hanlin.cli import main


def test_export_writes_gguf_once(tiny_run, tmp_path, capsys):
    gguf = pytest.importorskip("gguf")
    out = tmp_path / "tiny.gguf"
    arguments = ["export", str(tiny_run), str(out), "--to", "gguf", "--type", "q8_0", "--json"]
    assert main(arguments) == 0
    result = json.loads(capsys.readouterr().out)
    assert result == {
        "out": str(out),
        "format": "gguf",
        "bytes": out.stat().st_size,
        "left_behind": {"heads": [], "expansions": []},
    }
    assert len(gguf.GGUFReader(out).tensors) > 8
    assert main(arguments) == 2
    assert "exists" in capsys.readouterr().err


def test_export_writes_onnx(tiny_run, tmp_path, capsys):
    runtime = pytest.importorskip("onnxruntime")
    out = tmp_path / "tiny.onnx"
    assert main(["export", str(tiny_run), str(out), "--to", "onnx"]) == 0
    assert [i.name for i in runtime.InferenceSession(out).get_inputs()] == ["input_ids"]


def test_a_missing_package_is_named_with_the_way_to_install_it(
    tiny_run, tmp_path, capsys, monkeypatch
):
    import sys

    monkeypatch.setitem(sys.modules, "gguf", None)
    assert main(["export", str(tiny_run), str(tmp_path / "a.gguf"), "--to", "gguf"]) == 2
    assert "pip install 'hanlin[export]'" in capsys.readouterr().err
    assert not (tmp_path / "a.gguf").exists()
