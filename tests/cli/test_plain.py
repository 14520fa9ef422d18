"""Plain flags of `hanlin generate` are what the whole reader of flags finds, or left to it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from hanlin.cli._generate_flags import explained_options, plain_options
from hanlin.generation.native import is_available


@pytest.mark.parametrize(
    "line",
    [
        "MODEL",
        "MODEL --prompt 从前 --seed 1 --max-tokens 16",
        "--prompt a MODEL --prompt b --samples 2 --json",
        "--engine native --top_k 5 --top-p 0.9 MODEL --device cpu --expansion off",
        "MODEL --regex a+ --temperature 1e-1 --logprobs 3",
    ],
)
def test_plain_lines_are_read_as_the_explained_ones(tiny_run: Path, line: str) -> None:
    words = line.replace("MODEL", str(tiny_run)).split()
    assert plain_options(words) == explained_options(words)


@pytest.mark.parametrize(
    "line",
    [
        "MODEL --help",
        "MODEL --prompt",
        "MODEL --prompt -",
        "MODEL --seed=1",
        "MODEL --seed one",
        "MODEL --seed 1 --seed 2",
        "MODEL --engine other",
        "MODEL --top-p 2",
        "MODEL --stop a b",
        "MODEL --search beam",
        "MODEL MODEL",
        "--json",
        "",
    ],
)
def test_other_lines_are_left_to_the_explained_reader(tiny_run: Path, line: str) -> None:
    assert plain_options(line.replace("MODEL", str(tiny_run)).split()) is None


@pytest.mark.skipif(not is_available(), reason="the native core is not built here")
def test_a_plain_line_loads_neither_torch_nor_the_reader_of_flags(tiny_run: Path) -> None:
    code = (
        "import sys; from hanlin.cli import main\n"
        "words = ['--max-tokens', '4', '--device', 'cpu', '--engine', 'native', '--seed', '1']\n"
        "assert main(['generate', sys.argv[1], '--expansion', 'off', *words]) == 0\n"
        "loaded = {'torch', 'tyro._cli', 'typeguard', 'hanlin.config.recipe'} & set(sys.modules)\n"
        "assert not loaded, loaded"
    )
    subprocess.run([sys.executable, "-c", code, str(tiny_run)], check=True, capture_output=True)
