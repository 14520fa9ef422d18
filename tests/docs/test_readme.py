"""What the READMEs and the pages of `docs/` say is checked against the program."""

from __future__ import annotations

import ast
import contextlib
import importlib
import importlib.util
import io
import random
import re
import shlex
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from hanlin import cli
from hanlin.cli import VERBS
from hanlin.config import parse_recipe

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
IN_TWO_LANGUAGES = [
    ("README.md", "README.zh.md"),
    ("docs/guides/first-run.md", "docs/guides/first-run.zh.md"),
    ("docs/guides/own-text.md", "docs/guides/own-text.zh.md"),
]
KNOWN_VERBS = [name for group in VERBS.values() for name in group]

_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\(([^)\s#]+)(?:#[^)]*)?\)")
_SETTING = re.compile(r"[A-Z_]+=\S*")


class ParsedError(Exception):
    """Raised in place of the work that a verb does once its flags are understood."""


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def blocks(page: Path, language: str) -> list[str]:
    text = page.read_text(encoding="utf-8")
    return [body for kind, body in _BLOCK.findall(text) if kind == language]


def commands(page: Path) -> list[list[str]]:
    """Return the command lines of a page as words, comments and `NAME=value` before them gone."""
    found = []
    for line in "".join(blocks(page, "bash")).splitlines():
        words = shlex.split(line, comments=True)
        while words and _SETTING.fullmatch(words[0]):
            words.pop(0)
        if words:
            found.append(words)
    return found


def commands_of(program: str) -> list[Any]:
    return [
        pytest.param(words, id=f"{name_of(page)}: {shlex.join(words)}")
        for page in PAGES
        for words in commands(page)
        if Path(words[0]).name == program
    ]


@pytest.mark.parametrize("words", commands_of("hanlin"))
def test_every_command_is_one_that_the_program_takes(
    words: Sequence[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, verb, *arguments = words
    assert verb in KNOWN_VERBS
    module = importlib.import_module(f"hanlin.cli.{verb}")
    main = module.main
    if verb == "generate":  # the reader that explains refuses what the plain one would leave to it
        monkeypatch.setattr(module, "plain_options", lambda arguments: None)
        module = importlib.import_module("hanlin.cli._generate_flags")
    name = "parse" if hasattr(module, "parse") else "parse_one_of"
    parse = getattr(module, name)

    def parse_and_leave(*args: Any, **kwargs: Any) -> None:
        raise ParsedError(parse(*args, **kwargs))

    monkeypatch.setattr(module, name, parse_and_leave)
    with pytest.raises(ParsedError):
        main(arguments)


def test_a_flag_that_does_not_exist_would_be_found(monkeypatch: pytest.MonkeyPatch) -> None:
    words = ["hanlin", "generate", "runs/demo", "--promt", "x"]
    with pytest.raises(SystemExit):
        test_every_command_is_one_that_the_program_takes(words, monkeypatch)


@pytest.mark.parametrize("words", commands_of("make"))
def test_every_make_target_exists(words: Sequence[str]) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in words[1:]:
        assert re.search(rf"^{re.escape(target)}:", makefile, re.MULTILINE), target


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_module_that_a_page_runs_exists(page: Path) -> None:
    for words in commands(page):
        if "-m" in words:
            module = words[words.index("-m") + 1]
            assert module == "venv" or importlib.util.find_spec(module), module


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_python_example_names_what_exists(page: Path) -> None:
    for block in blocks(page, "python"):
        for node in ast.walk(ast.parse(block)):
            if isinstance(node, ast.ImportFrom) and str(node.module).startswith("hanlin"):
                module = importlib.import_module(str(node.module))
                missing = [alias.name for alias in node.names if not hasattr(module, alias.name)]
                assert not missing, f"{node.module} has no {missing}"


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_piece_of_a_recipe_fits_the_recipe_types(page: Path) -> None:
    for block in blocks(page, "toml"):
        parse_recipe(_completed(tomllib.loads(block)), where=block)


@pytest.mark.parametrize(("english", "chinese"), IN_TWO_LANGUAGES)
def test_both_languages_name_the_same_commands(english: str, chinese: str) -> None:
    first, second = ROOT / english, ROOT / chinese
    assert commands(first) == commands(second)
    for language in ("python", "toml"):
        assert _without_comments(first, language) == _without_comments(second, language)


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_internal_link_leads_somewhere(page: Path) -> None:
    text = _BLOCK.sub("", page.read_text(encoding="utf-8"))
    targets = [target for target in _LINK.findall(text) if "://" not in target]
    dead = [target for target in targets if not (page.parent / target).exists()]
    assert not dead


@pytest.mark.slow
def test_the_first_python_example_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    example = blocks(ROOT / "README.md", "python")[0]
    folder = tmp_path / "my-model"
    folder.mkdir()
    (folder / "text.txt").write_text(_little_text(), encoding="utf-8")
    (folder / "recipe.toml").write_text(_LITTLE_RECIPE, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    assert cli.main(["run", "my-model/recipe.toml"]) == 0
    assert (tmp_path / "runs/my-model/model/config.json").is_file()
    assert "model" in capsys.readouterr().err
    shown = io.StringIO()
    with contextlib.redirect_stdout(shown):
        exec(compile(example, "README.md", "exec"), {})
    assert shown.getvalue().strip()
    assert "nothing to do" in capsys.readouterr().err


_LITTLE_RECIPE = """
name = "my-model"
prompts = ["从前"]

[corpus]
validation_share = 0.05
test_share = 0.05

[[corpus.sources]]
path = "text.txt"
blocks = true

[corpus.cleaning]
quality = false
near_duplicates = false

[tokenizer]
vocab_size = 400

[model]
hidden_size = 32
num_layers = 1
num_heads = 2
context_length = 64

[[stages]]
name = "base"
kind = "language"

[stages.training]
steps = 4
batch_tokens = 256
eval_tokens = 200
sample_every = 0

[evaluation]
ngram_order = 2
test_tokens = 200
samples = 2

[sampling]
max_tokens = 10
"""


def _little_text() -> str:
    rng = random.Random(1)
    pairs = (
        (
            "从前，{}在{}里看书，一直看到天黑。",
            "On day {}, the {} was quiet and people read there.",
        ),
        (
            "{}说，{}的门开着，大家可以进去坐坐。",
            "After {} days the {} was open to all of us again.",
        ),
    )
    places = [("公园", "park"), ("学校", "school"), ("图书馆", "library"), ("花园", "garden")]
    texts = []
    for number in range(60):
        chinese, english = rng.choice(pairs)
        place = rng.choice(places)
        texts.append(chinese.format(f"第{number}位客人", place[0]))
        texts.append(english.format(number, place[1]))
    return "\n\n".join(texts)


def _without_comments(page: Path, language: str) -> list[Any]:
    read = tomllib.loads if language == "toml" else lambda text: ast.dump(ast.parse(text))
    return [read(block) for block in blocks(page, language)]


def _completed(piece: dict[str, Any]) -> dict[str, Any]:
    """Return a whole recipe around the piece that a page shows."""
    parts = [{"path": "a"}, {"path": "b", "part": "news"}, {"path": "c", "part": "law"}]
    stage: dict[str, Any] = {"name": "base", "kind": "language"}
    stages = piece.get("stages", [{}])
    listed = stages if isinstance(stages, list) else [stages]  # [stages.training] on its own
    whole = []
    for entry in listed:
        training = dict(entry.get("training", {}))
        if entry.get("kind") in ("generate", "checkpoint"):  # they learn nothing
            whole.append({"from": "base", **stage, **entry})
            continue
        if not training.keys() & {"steps", "tokens"}:
            training["steps"] = 1
        whole.append({**stage, **entry, "training": training})
    corpus = {"sources": parts, **piece.get("corpus", {})}
    return {"name": "piece", **piece, "corpus": corpus, "stages": whole}
