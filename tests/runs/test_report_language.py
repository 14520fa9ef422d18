"""The report in Chinese: the same facts, no phrase of the program without a translation."""

from __future__ import annotations

import ast
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

import hanlin.runs.report
from hanlin.runs.report import build_report, write_report
from hanlin.runs.report.chinese import CHINESE
from hanlin.runs.report.facts import read_run
from hanlin.runs.report.html import render_html
from hanlin.runs.report.phrases import Phrase, listed, translate
from hanlin.runs.report.words import _LABELS, _LANGUAGES, say, time_text

SOURCES = sorted(Path(hanlin.runs.report.__file__).parent.glob("*.py"))
PLACES = re.compile(r"\{\w+\}")
STAGES = {"base": (1.5, 1.25), "after": (1.375, 1.125)}


def phrases() -> list[str]:
    """Return the template of every phrase that the report's source writes."""
    found = [*_LABELS.values(), *_LANGUAGES.values()]
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            called = isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Phrase"
            if called and node.args and isinstance(node.args[0], ast.Constant):  # type: ignore[attr-defined]
                found.append(node.args[0].value)  # type: ignore[attr-defined]
    return [text for text in found if re.search("[A-Za-z]", PLACES.sub("", text))]


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A small finished run of two stages."""
    recipe = 'name = "tiny"\n[model]\nfamily = "qwen3"\n'
    for number, (name, (zh, en)) in enumerate(STAGES.items(), start=1):
        recipe += f'[[stages]]\nname = "{name}"\nkind = "language"\n'
        folder = tmp_path / "stages" / f"{number}-{name}"
        folder.mkdir(parents=True)
        test = {"zh": {"bits_per_byte": zh}, "en": {"bits_per_byte": en}}
        result = {"stage": name, "tokens": 5000, "seconds": 75.0, "evaluation": {"test": test}}
        (folder / "result.json").write_text(json.dumps(result))
    (tmp_path / "recipe.toml").write_text(recipe, encoding="utf-8")
    line = {"stage": "base", "step": 5, "tokens": 10, "loss": 2.0, "time": {"elapsed": 1.0}}
    (tmp_path / "metrics.jsonl").write_text(json.dumps(line) + "\n", encoding="utf-8")
    event = {"event": "started", "time": "2026-09-01", "message": "Hello"}
    (tmp_path / "events.jsonl").write_text(json.dumps(event) + "\n", encoding="utf-8")
    return tmp_path


def test_no_phrase_lacks_a_translation() -> None:
    found = phrases()
    assert len(found) > 100
    assert [text for text in found if text not in CHINESE] == []


def test_a_translation_keeps_its_places_and_its_marks_of_code() -> None:
    for english, chinese in CHINESE.items():
        assert sorted(PLACES.findall(english)) == sorted(PLACES.findall(chinese)), english
        assert re.findall("`[^`]*`", english) == re.findall("`[^`]*`", chinese), english


def test_times_of_every_length_are_said_in_chinese() -> None:
    for seconds in (0.5, 30, 60, 95, 3600, 3700, 86_400, 90_000, 2 * 86_400, 3e5, 7e8):
        said = translate(time_text(seconds), "zh")
        assert not re.search("[A-Za-z]", said), said


def test_the_chinese_page_says_what_the_english_one_does_without_a_word_of_english(
    run: Path,
) -> None:
    class Words(HTMLParser):
        inside = ""

        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            self.inside = tag

        def handle_data(self, data: str) -> None:
            if self.inside not in ("script", "style", "code", "title", "pre"):
                words.extend(re.findall("[A-Za-z]{3,}", data))

    words: list[str] = []
    page = render_html(build_report(read_run(run)), "zh", "report.html")
    Words().feed(page)
    names = {"tiny", "qwen", "GPT", "base", "after", "language", "English", "Hello", "MFU", "UTC"}
    names |= {"recipe", "toml"}  # a file's
    assert set(words) - names == set()
    assert '<html lang="zh-Hans">' in page
    assert '"step": "\\u7b2c {} \\u6b65"' in page, "the script's words too"


def test_each_page_leads_to_the_other(run: Path) -> None:
    english, chinese = write_report(run), run / "report.zh.html"
    assert 'href="report.zh.html"' in english.read_text(encoding="utf-8")
    assert 'href="report.html"' in chinese.read_text(encoding="utf-8")
    assert 'class="state finished">已完成<' in chinese.read_text(encoding="utf-8")


def test_bits_per_byte_are_shown_at_the_end_of_each_stage(run: Path) -> None:
    write_report(run)
    english = (run / "report.md").read_text(encoding="utf-8")
    assert "| stage | Chinese | English |" in english
    assert "| base | 1.500 | 1.250 |\n| after | 1.375 | 1.125 |" in english
    assert "held-out bits per byte, Chinese, after after: **1.375**" in english
    chinese = (run / "report.zh.md").read_text(encoding="utf-8")
    assert "| 阶段 | 中文 | 英文 |\n| --- | --- | --- |\n| base | 1.500 | 1.250 |" in chinese


def test_a_run_of_one_stage_shows_no_chain_of_bits(run: Path) -> None:
    (run / "stages" / "2-after" / "result.json").unlink()
    write_report(run)
    assert "| stage | Chinese | English |" not in (run / "report.md").read_text(encoding="utf-8")


def test_what_a_run_wrote_stays_as_it_is() -> None:
    assert translate("stage", "zh") == "stage"
    assert translate(Phrase("stage"), "zh") == "阶段"
    assert translate(say("verdict", "held"), "zh") == "成立"
    assert translate(say("note", "held"), "zh") == "held"
    assert translate(listed(["stage", Phrase("stage")], " · "), "zh") == "stage · 阶段"
    assert translate(say("seconds", [75, 2]), "zh") == "1 分 15 秒，2 秒"
