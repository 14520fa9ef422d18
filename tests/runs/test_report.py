from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hanlin.errors import RunError
from hanlin.runs.report import build_report, write_report
from hanlin.runs.report.facts import read_run
from hanlin.runs.report.html import render_html

VOID = {"meta", "input", "br", "line", "circle", "path", "link", "img"}


class Outline(HTMLParser):
    """Checks that tags nest and collects what a page holds."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not self.open or self.open[-1] not in ("script", "style"):
            self.text.append(data)


def outline(page: str) -> Outline:
    parser = Outline()
    parser.feed(page)
    parser.close()
    assert parser.open == []
    return parser


def lines(*records: dict[str, Any]) -> str:
    return "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A small finished run."""
    stage = tmp_path / "stages" / "1-base"
    stage.mkdir(parents=True)
    (tmp_path / "corpus").mkdir()
    (tmp_path / "recipe.toml").write_text(
        'name = "tiny"\n[model]\nfamily = "qwen3"\n[[stages]]\nname = "base"\n', encoding="utf-8"
    )
    steps = [
        {
            "stage": "base",
            "step": step,
            "tokens": step * 100,
            "loss": 9 - step / 10,
            "grad_norm": 1.0,
            "learning_rate": 0.003,
            "skipped": int(step > 30),
            "time": {"elapsed": float(step), "tokens_per_second": 100.0, "mfu": 0.4},
        }
        for step in range(10, 60, 10)
    ]
    evaluations = [
        {
            "stage": "base",
            "step": step,
            "tokens": step * 100,
            "evaluation": {"zh": {"bits_per_byte": 1.5}, "en": {"bits_per_byte": 1.25}},
            "time": {"elapsed": float(step)},
        }
        for step in (20, 50)
    ]
    (tmp_path / "metrics.jsonl").write_text(lines(*steps, *evaluations), encoding="utf-8")
    samples = [
        {
            "stage": "base",
            "step": step,
            "samples": [
                {"prompt": "从前", "text": f"有一只猫{step}。"},
                {"prompt": "", "text": "<script>alert(1)</script> & ```"},
            ],
        }
        for step in (20, 50)
    ]
    (tmp_path / "samples.jsonl").write_text(lines(*samples), encoding="utf-8")
    amounts = [
        {
            "split": "train",
            "source": "novels",
            "language": "zh-Hans",
            "documents": 7,
            "bytes": 9000,
            "characters": 3000,
        }
    ]
    part = {"amounts": amounts, "dropped": {"too short": {"count": 3, "samples": ["<b>短</b>"]}}}
    (tmp_path / "corpus" / "manifest.json").write_text(json.dumps({"parts": {"main": part}}))
    result = {
        "stage": "base",
        "kind": "language",
        "steps": 50,
        "tokens": 5000,
        "parameters": 123_456,
        "flops": 2.5e12,
        "seconds": 50.0,
        "tokens_per_second": 100.0,
        "mfu": 0.4,
        "evaluation": {
            "test": {"zh": {"bits_per_byte": 1.4321}, "en": {"bits_per_byte": 1.2}},
            "ngram": {"zh": {"bits_per_byte": 1.9}, "en": {"bits_per_byte": 1.8}},
            "uniform": {"zh": {"bits_per_byte": 4.0}, "en": {"bits_per_byte": 4.1}},
            "novelty": {"zh": {"longest_match": 41}, "en": {"longest_match": 12}},
            "something_new": {"depth": {"of_field": 17.25}},
        },
    }
    (stage / "result.json").write_text(json.dumps(result))
    (tmp_path / "cost.json").write_text(json.dumps({"seconds": 75.0, "peak_memory_bytes": 1.5e9}))
    (tmp_path / "ledger.jsonl").write_text(
        lines({"claim": "beats n-gram", "control": "order 5", "value": -0.2, "verdict": "holds"})
    )
    (tmp_path / "events.jsonl").write_text(
        lines({"event": "begin", "time": "2026-09-01T10:00:00", "environment": {"cores": 2}})
    )
    return tmp_path


def test_a_finished_run_becomes_a_well_formed_page_and_markdown(run: Path) -> None:
    page = write_report(run)
    assert page == run / "report.html"
    text = " ".join(outline(page.read_text(encoding="utf-8")).text)
    markdown = (run / "report.md").read_text(encoding="utf-8")
    for fact in ("1.432", "n-gram 1.900", "123,456", "1 min 15 s", "1.50 GB", "too short"):
        assert fact in text
        assert fact in markdown
    for fact in ("beats n-gram", "holds", "17.25", "有一只猫50", "finished", "2.50 × 10¹²"):
        assert fact in text
        assert fact in markdown


def test_the_page_loads_nothing_from_elsewhere(run: Path) -> None:
    page = write_report(run).read_text(encoding="utf-8")
    found = outline(page)
    for tag, attributes in found.tags:
        assert tag not in ("link", "img", "iframe", "object", "embed")
        assert "src" not in attributes
        assert (attributes.get("href") or "#").startswith(("#", "report.zh.html"))
        assert "style" not in attributes, "the content policy forbids inline style attributes"
        assert not any(name.startswith("on") for name in attributes)
    assert "url(" not in page
    assert "@import" not in page
    assert "http://www.w3.org/2000/svg" in page  # a namespace, which nothing fetches
    assert re.findall(r"https?://(?!www\.w3\.org/2000/svg)", page) == []


def test_the_content_policy_allows_the_inline_script_by_its_hash_alone(run: Path) -> None:
    page = write_report(run).read_text(encoding="utf-8")
    assert "unsafe-inline" not in page
    assert page.count("'sha256-") == 2


def test_samples_that_hold_html_stay_text(run: Path) -> None:
    page = write_report(run).read_text(encoding="utf-8")
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)" in page
    scripts = [tag for tag, _ in outline(page).tags if tag == "script"]
    assert len(scripts) == 2


def test_markdown_fences_are_longer_than_the_backticks_inside(run: Path) -> None:
    write_report(run)
    assert "````text\n<script>alert(1)</script> & ```\n````" in (run / "report.md").read_text()


def test_chinese_samples_carry_their_language(run: Path) -> None:
    found = outline(write_report(run).read_text(encoding="utf-8"))
    quotes = [attributes["lang"] for tag, attributes in found.tags if tag == "blockquote"]
    assert "zh-Hans" in quotes
    assert "en" in quotes


def test_curves_are_drawn_without_scripts(run: Path) -> None:
    found = outline(write_report(run).read_text(encoding="utf-8"))
    paths = [attributes["d"] for tag, attributes in found.tags if tag == "path"]
    assert len(paths) >= 4
    assert all(re.fullmatch(r"M[\d. L-]+", path or "") for path in paths)
    assert any("n-gram zh" in text for text in found.text)


def test_an_empty_folder_still_gets_a_report(tmp_path: Path) -> None:
    page = write_report(tmp_path)
    text = " ".join(outline(page.read_text(encoding="utf-8")).text)
    assert "not begun" in text
    assert "Nothing has been measured yet." in text


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="no run folder"):
        write_report(tmp_path / "absent")


def test_a_crashed_run_shows_what_it_had(run: Path) -> None:
    (run / "stages" / "1-base" / "result.json").unlink()
    (run / "cost.json").write_text('{"seconds": ')
    with (run / "metrics.jsonl").open("a") as file:
        file.write('{"stage": "base", "step": 60, "lo')
    text = " ".join(outline(write_report(run).read_text(encoding="utf-8")).text)
    assert "stopped before its end" in text
    assert "is not valid JSON" in text
    assert "1.500" in text, "the last evaluation stands in for the result"


def test_a_step_that_was_done_again_counts_as_it_was_done_last(run: Path) -> None:
    with (run / "metrics.jsonl").open("a") as file:
        file.write(lines({"stage": "base", "step": 20, "tokens": 2000, "loss": 123.0}))
    steps = read_run(run).stages[0].steps
    assert [line["step"] for line in steps] == [10, 20, 30, 40, 50]
    assert steps[1]["loss"] == 123.0


def test_a_stage_without_result_is_not_finished(run: Path) -> None:
    recipe = (run / "recipe.toml").read_text() + '[[stages]]\nname = "later"\n'
    (run / "recipe.toml").write_text(recipe)
    assert read_run(run).status == "stopped before its end"


def test_samples_may_stand_between_the_metrics(run: Path) -> None:
    (run / "samples.jsonl").unlink()
    written = {"texts": [{"prompt": "从前", "text": "有一条鱼。"}]}
    with (run / "metrics.jsonl").open("a", encoding="utf-8") as file:
        file.write(lines({"stage": "base", "kind": "sample", "step": 50, "sample": written}))
    facts = read_run(run)
    assert [line["step"] for line in facts.stages[0].steps] == [10, 20, 30, 40, 50]
    assert "有一条鱼" in write_report(run).read_text(encoding="utf-8")


def test_an_evaluation_without_tokens_is_placed_by_its_step(run: Path) -> None:
    line = {"stage": "base", "kind": "evaluation", "step": 30, "time": {"seconds": 9.0}}
    with (run / "metrics.jsonl").open("a", encoding="utf-8") as file:
        file.write(lines({**line, "evaluation": {"zh": {"bits_per_byte": 1.4}}}))
    placed = next(e for e in read_run(run).stages[0].evaluations if e["step"] == 30)
    assert placed["tokens"] == 3000
    assert placed["time"]["elapsed"] == 30.0


def test_texts_written_freely_are_shown_the_languages_in_turns(run: Path) -> None:
    path = run / "stages" / "1-base" / "result.json"
    result = json.loads(path.read_text())
    result["evaluation"]["samples"] = ["猫来了。", "狗走了。", "The fox ran."]
    path.write_text(json.dumps(result))
    page = write_report(run).read_text(encoding="utf-8")
    places = [page.index(text) for text in ("猫来了。", "The fox ran.", "狗走了。")]
    assert places == sorted(places)


def test_an_interval_is_said_with_its_bounds(run: Path) -> None:
    path = run / "stages" / "1-base" / "result.json"
    result = json.loads(path.read_text())
    found = {"value": 0.25, "low": 0.2, "high": 0.31, "successes": 25, "total": 100}
    result["evaluation"]["novelty"] = {"zh": {"found": found}, "zh, human": {"found": found}}
    path.write_text(json.dumps(result))
    write_report(run)
    markdown = (run / "report.md").read_text(encoding="utf-8")
    assert "25 % (20 % to 31 %)" in markdown
    assert "| Chinese | Chinese, human |" in markdown
    chinese = (run / "report.zh.md").read_text(encoding="utf-8")
    assert "25 %（20 % 至 31 %）" in chinese
    assert "| 中文 | 中文，人写 |" in chinese


def test_skipped_steps_are_told(run: Path) -> None:
    text = " ".join(outline(write_report(run).read_text(encoding="utf-8")).text)
    assert "1 step was skipped" in text


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)
KEYS = st.sampled_from(
    ["stage", "step", "loss", "evaluation", "samples", "time", "zh", "parts", "test", "amounts"]
)
TABLES = st.dictionaries(KEYS, st.dictionaries(KEYS, JSON, max_size=3) | JSON, max_size=4)


@settings(deadline=None, max_examples=60)
@given(st.lists(TABLES, max_size=4), TABLES, TABLES)
def test_odd_content_never_breaks_the_report(
    tmp_path_factory: pytest.TempPathFactory,
    records: list[dict[str, Any]],
    manifest: dict[str, Any],
    result: dict[str, Any],
) -> None:
    folder = tmp_path_factory.mktemp("run")
    (folder / "corpus").mkdir()
    (folder / "stages" / "1-a").mkdir(parents=True)
    for name in ("metrics", "samples", "events", "ledger"):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(r) + "\n" for r in records))
    (folder / "corpus" / "manifest.json").write_text(json.dumps(manifest))
    (folder / "stages" / "1-a" / "result.json").write_text(json.dumps({"evaluation": result}))
    (folder / "cost.json").write_text(json.dumps(result))
    outline(write_report(folder).read_text(encoding="utf-8"))


def test_the_chain_of_stages_is_drawn_and_written(run: Path) -> None:
    recipe = (run / "recipe.toml").read_text(encoding="utf-8")
    recipe = recipe.replace(
        'name = "base"',
        'name = "base"\nkind = "language"\nfrom = "/models/<big>"\n'
        '[[stages]]\nname = "small"\nkind = "distil"\nteachers = ["base"]\nparts = ["news"]\n'
        '[[stages]]\nname = "decode"\nkind = "generate"\nfrom = "small"',
    )
    (run / "recipe.toml").write_text(recipe, encoding="utf-8")
    decode = run / "stages" / "3-decode"
    decode.mkdir()
    result = {"stage": "decode", "sampling": {"temperature": 0.7, "top_p": 1.0}, "flops": 2e9}
    (decode / "result.json").write_text(json.dumps(result))
    page = write_report(run)
    found = outline(page.read_text(encoding="utf-8"))
    text = " ".join(found.text)
    markdown = (run / "report.md").read_text(encoding="utf-8")
    for fact in ("taught by base", "reads news", "draws with temperature 0.7"):
        assert fact in text
        assert fact in markdown
    assert "o base (language), from /models/<big>" in markdown
    assert "o decode (generate), from small" in markdown
    chain = [t for t, a in found.tags if t == "circle" and str(a.get("class")).startswith("dot")]
    assert len(chain) >= 4  # three stages and the folder outside


def test_the_last_word_on_a_claim_is_shown(run: Path) -> None:
    claim = {"claim": "beats n-gram", "stage": "base", "metric": "bits", "control": "order 5"}
    first = {**claim, "verdict": "not tested", "values": [1.5], "inputs": "abc"}
    last = {**claim, "verdict": "failed", "values": [1.5, 1.6], "inputs": "def"}
    (run / "ledger.jsonl").write_text(lines(first, last))
    write_report(run)
    markdown = (run / "report.md").read_text(encoding="utf-8")
    section = markdown.split("## Claims")[1].split("## ")[0]
    assert "| beats n-gram | failed | 1.5, 1.6 | order 5 |" in section
    assert "not tested" not in section
    assert "abc" not in section


def test_control_characters_and_half_surrogates_are_replaced(run: Path) -> None:
    facts = read_run(run)
    facts.stages[0].samples[-1]["samples"][1]["text"] = "a\x00b\ud800c"
    page = render_html(build_report(facts))
    assert "a\ufffdb\ufffdc" in page
    page.encode("utf-8")
