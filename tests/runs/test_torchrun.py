"""`hanlin run` under torchrun: two processes learn what one does."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from safetensors.numpy import load_file

import hanlin

_AUGMENT = "[stages.augment]\ninfill = 0.2\nrepeat = 0.1\nuntil = 0.5\n\n"


@pytest.mark.slow
@pytest.mark.parametrize("augment", ["", _AUGMENT], ids=["plain", "augmented"])
def test_two_processes_make_the_run_that_one_makes(
    tmp_path: Path, tiny_text: str, augment: str
) -> None:
    tiny_recipe = tmp_path / "recipe.toml"
    text = tiny_text.replace("[evaluation]", f"{augment}[evaluation]")
    tiny_recipe.write_text(text, encoding="utf-8")
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2"]
    subprocess.run(
        [*command, "-m", "hanlin", "run", str(tiny_recipe)],
        cwd=tmp_path,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        check=True,
        timeout=300,
    )
    one = hanlin.run(tiny_recipe, folder=tmp_path / "one", quiet=True)
    theirs = load_file(tmp_path / "runs" / "tiny" / "model" / "model.safetensors")
    for name, weight in load_file(one / "model" / "model.safetensors").items():
        assert abs(weight - theirs[name]).max() < 1e-3, name
