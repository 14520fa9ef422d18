"""A corpus is built whole, accounted for, and built again only where something changed."""

from __future__ import annotations

import json
import random
import sys
import types
from pathlib import Path

import pytest

from hanlin.config import CorpusConfig
from hanlin.errors import DataError, RunError
from hanlin.records import hold_folder, sha256_file
from hanlin.text import (
    SPLITS,
    Document,
    build_corpus,
    check_sources,
    iterate_documents,
    load_manifest,
)

HAN = "的一是不了人我在有他这为之大来以个中上们到说国和地也子时道出而要于就下得可你年生"


def story(seed: int, length: int = 60) -> str:
    return "".join(random.Random(seed).choices(HAN, k=length)) + "。"


def write_blocks(path: Path, stories: list[str]) -> None:
    path.write_text("\n\n".join(stories) + "\n", encoding="utf-8")


def settings(*paths: str, **more: object) -> CorpusConfig:
    sources = [{"path": path, "blocks": True} for path in paths]
    return CorpusConfig.model_validate({"sources": sources, **more})


def documents(folder: Path, part: str = "main", *splits: str) -> list[Document]:
    return [
        document
        for split in SPLITS
        if split in (splits or SPLITS)
        for document in iterate_documents(folder, part, split)
    ]


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (folder / "documents").iterdir()}


def test_the_manifest_accounts_for_every_document(tmp_path: Path) -> None:
    stories = [story(seed) for seed in range(60)]
    write_blocks(
        tmp_path / "a.txt", [*stories, stories[0], stories[1] + "完", "太短", "12 34 56 78 90" * 3]
    )
    manifest = build_corpus(settings("a.txt"), tmp_path / "corpus", base=tmp_path)
    part = manifest.parts["main"]
    assert part.read == 64
    assert {reason: dropped.count for reason, dropped in part.dropped.items()} == {
        "shorter than 20 characters": 1,
        "few letters": 1,
        "exact duplicate": 1,
        "near-duplicate": 1,
    }
    assert part.dropped["near-duplicate"].samples[0].startswith("a.txt#61: ")
    assert sorted(d.text for d in documents(tmp_path / "corpus")) == sorted(stories)
    assert part.documents() == 60
    for split in SPLITS:
        kept = documents(tmp_path / "corpus", "main", split)
        path = tmp_path / "corpus" / "documents" / f"main.{split}.jsonl"
        [amount] = [amount for amount in part.amounts if amount.split == split]
        assert (amount.source, amount.language) == ("a.txt", "zh-Hans")
        assert amount.documents == len(kept) > 0
        assert amount.characters == sum(len(d.text) for d in kept)
        assert amount.bytes == sum(len(d.text.encode()) for d in kept)
        assert part.files[split].sha256 == sha256_file(path)
    assert load_manifest(tmp_path / "corpus") == manifest


def test_a_document_is_one_json_line_of_four_fields(tmp_path: Path) -> None:
    write_blocks(tmp_path / "a.txt", [story(seed) for seed in range(12)])
    build_corpus(settings("a.txt"), tmp_path / "corpus", base=tmp_path)
    path = tmp_path / "corpus" / "documents" / "main.train.jsonl"
    line = path.read_text(encoding="utf-8").split("\n")[0]
    assert list(json.loads(line)) == ["text", "language", "source", "id"]
    assert "\\u" not in line


def test_building_again_changes_no_byte_wherever_it_is_built(tmp_path: Path) -> None:
    write_blocks(tmp_path / "a.txt", [story(seed) for seed in range(30)])
    for name in ("one", "two"):
        build_corpus(settings("a.txt"), tmp_path / name, base=tmp_path)
    assert contents(tmp_path / "one") == contents(tmp_path / "two")
    one, two = (load_manifest(tmp_path / name) for name in ("one", "two"))
    assert one == two


def test_an_unchanged_part_stands_and_only_its_weight_is_new(tmp_path: Path) -> None:
    write_blocks(tmp_path / "a.txt", [story(seed) for seed in range(30)])
    write_blocks(tmp_path / "b.txt", [story(seed) for seed in range(30, 60)])
    folder = tmp_path / "corpus"
    first = build_corpus(settings("a.txt", "b.txt"), folder, base=tmp_path)
    before = {path: path.stat().st_mtime_ns for path in (folder / "documents").iterdir()}
    sources = [{"path": "a.txt", "blocks": True, "weight": 3}, {"path": "b.txt", "blocks": True}]
    again = build_corpus(CorpusConfig.model_validate({"sources": sources}), folder, base=tmp_path)
    assert before == {path: path.stat().st_mtime_ns for path in (folder / "documents").iterdir()}
    assert again.parts["main"].content == first.parts["main"].content
    mixture = again.parts["main"].mixture
    assert mixture["a.txt"].weight == 3
    assert mixture["a.txt"].natural == pytest.approx(0.5, abs=0.1)
    assert mixture["a.txt"].weighted == pytest.approx(0.75, abs=0.1)
    assert sum(share.weighted for share in mixture.values()) == pytest.approx(1)


def test_a_changed_file_is_noticed_and_its_part_built_again(tmp_path: Path) -> None:
    write_blocks(tmp_path / "a.txt", [story(seed) for seed in range(30)])
    config, folder = settings("a.txt"), tmp_path / "corpus"
    manifest = build_corpus(config, folder, base=tmp_path)
    assert check_sources(manifest, config, tmp_path) == []
    write_blocks(tmp_path / "a.txt", [story(seed) for seed in range(1, 31)])
    assert check_sources(manifest, config, tmp_path) == ["a.txt: a.txt changed"]
    again = build_corpus(config, folder, base=tmp_path)
    assert again.parts["main"].content != manifest.parts["main"].content
    eased = settings("a.txt", cleaning={"quality": False})
    assert check_sources(again, eased, tmp_path) == ["the settings of part 'main' changed"]
    (tmp_path / "a.txt").unlink()
    assert "where nothing lies" in check_sources(again, config, tmp_path)[0]


def test_files_that_come_and_go_are_named(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    for name in ("1.txt", "2.txt"):
        write_blocks(tmp_path / "docs" / name, [story(100 * int(name[0]) + n) for n in range(20)])
    config = settings("docs")
    manifest = build_corpus(config, tmp_path / "corpus", base=tmp_path)
    (tmp_path / "docs" / "2.txt").rename(tmp_path / "docs" / "3.txt")
    differences = check_sources(manifest, config, tmp_path)
    assert differences == ["docs: 2.txt is gone", "docs: 3.txt is new"]


def two_parts(more: str = "b.txt") -> CorpusConfig:
    sources = [{"path": "a.txt", "blocks": True}, {"path": more, "blocks": True, "part": "more"}]
    return CorpusConfig.model_validate({"sources": sources})


def test_a_new_part_leaves_the_old_one_and_repeats_nothing_of_it(tmp_path: Path) -> None:
    stories = [story(seed) for seed in range(40)]
    write_blocks(tmp_path / "a.txt", stories)
    folder = tmp_path / "corpus"
    build_corpus(settings("a.txt"), folder, base=tmp_path)
    before = contents(folder)
    held_out = documents(folder, "main", "test")[0].text
    fresh = [story(seed) for seed in range(100, 130)]
    # The held-out text inside a longer one is neither an exact nor a near-duplicate.
    write_blocks(tmp_path / "b.txt", [*fresh, stories[3], held_out + story(999, 90)])
    manifest = build_corpus(two_parts(), folder, base=tmp_path)
    assert before.items() <= contents(folder).items()
    more = manifest.parts["more"]
    assert more.compared_with == ("main",)
    assert more.dropped["exact duplicate"].count == 1
    reasons = {"held out in another part", "held out, but seen in training"}
    assert sum(more.dropped[reason].count for reason in reasons & more.dropped.keys()) == 1
    assert sorted(d.text for d in documents(folder, "more")) == sorted(fresh)


def test_one_part_alone_can_be_built(tmp_path: Path) -> None:
    write_blocks(tmp_path / "a.txt", [story(seed) for seed in range(20)])
    write_blocks(tmp_path / "b.txt", [story(seed) for seed in range(20, 40)])
    manifest = build_corpus(two_parts(), tmp_path / "c", base=tmp_path, parts=["more"])
    assert list(manifest.parts) == ["more"]
    with pytest.raises(DataError, match=r"no part 'mor'.*Did you mean 'more'"):
        build_corpus(two_parts(), tmp_path / "c", base=tmp_path, parts=["mor"])


def test_a_held_out_document_that_training_contains_is_dropped(tmp_path: Path) -> None:
    stories = [story(seed) for seed in range(40)]
    config = settings("a.txt", validation_share=0.2, test_share=0.2)
    write_blocks(tmp_path / "a.txt", stories)
    build_corpus(config, tmp_path / "c", base=tmp_path)
    held_out = documents(tmp_path / "c", "main", "test")[0].text
    for seed in range(50, 70):  # a longer text around it that falls into training
        write_blocks(
            tmp_path / "a.txt", [*stories, story(seed, 80) + held_out + story(seed + 50, 80)]
        )
        part = build_corpus(config, tmp_path / "c", base=tmp_path).parts["main"]
        train = documents(tmp_path / "c", "main", "train")
        if any(held_out in document.text for document in train):
            break
    assert part.dropped["held out, but seen in training"].count == 1
    assert part.contamination["test"].dropped == 1
    assert held_out not in [d.text for d in documents(tmp_path / "c", "main", "test")]


def test_a_single_short_file_still_holds_something_out(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text(
        "".join(story(seed) + "\n" for seed in range(60)), encoding="utf-8"
    )
    config = CorpusConfig.model_validate({"sources": [{"path": "a.txt"}]})
    part = build_corpus(config, tmp_path / "c", base=tmp_path).parts["main"]
    assert all(part.documents(split) for split in SPLITS)
    assert part.sources[0].cut == 1


def test_an_empty_corpus_says_what_was_dropped(tmp_path: Path) -> None:
    write_blocks(tmp_path / "a.txt", ["短", "也短", "12 34 56 78 90 12 34 56"])
    with pytest.raises(DataError, match=r"keeps 0 documents.*shorter than 20 characters: 2, few l"):
        build_corpus(settings("a.txt"), tmp_path / "c", base=tmp_path)
    assert not (tmp_path / "c" / "manifest.json").exists()
    assert not (tmp_path / "c" / ".building").exists()


def test_a_failed_build_keeps_what_was_there(tmp_path: Path) -> None:
    write_blocks(tmp_path / "a.txt", [story(seed) for seed in range(20)])
    build_corpus(settings("a.txt"), tmp_path / "c", base=tmp_path)
    before = contents(tmp_path / "c"), load_manifest(tmp_path / "c")
    write_blocks(tmp_path / "a.txt", ["短"])
    with pytest.raises(DataError):
        build_corpus(settings("a.txt"), tmp_path / "c", base=tmp_path)
    assert (contents(tmp_path / "c"), load_manifest(tmp_path / "c")) == before


def test_an_interruption_leaves_nothing_half_written(tmp_path: Path) -> None:
    write_blocks(tmp_path / "a.txt", [story(seed) for seed in range(20)])

    def interrupt(phase: str, _done: int, _total: int) -> None:
        if phase == "write":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build_corpus(settings("a.txt"), tmp_path / "c", base=tmp_path, on_progress=interrupt)
    assert {path.name for path in (tmp_path / "c").rglob("*") if path.is_file()} == {".lock"}


def test_progress_ends_at_the_total_in_every_phase(tmp_path: Path) -> None:
    write_blocks(tmp_path / "a.txt", [story(seed) for seed in range(20)])
    last: dict[str, tuple[int, int]] = {}

    def note(phase: str, done: int, total: int) -> None:
        last[phase] = (done, total)

    build_corpus(settings("a.txt"), tmp_path / "c", base=tmp_path, on_progress=note)
    assert list(last) == ["read a.txt", "deduplicate", "write"]
    assert all(done == total > 0 for done, total in last.values())


def test_script_is_converted_only_when_asked_and_recorded(tmp_path: Path) -> None:
    write_blocks(tmp_path / "a.txt", [f"漢語說話第{n}回，" + story(n) for n in range(12)])
    config = settings("a.txt", cleaning={"to_script": "simplified"})
    part = build_corpus(config, tmp_path / "c", base=tmp_path).parts["main"]
    assert part.script == "simplified"
    assert all("汉语说话" in d.text and d.language == "zh-Hans" for d in documents(tmp_path / "c"))


def test_a_part_that_cannot_name_a_file_is_refused(tmp_path: Path) -> None:
    write_blocks(tmp_path / "a.txt", [story(seed) for seed in range(20)])
    sources = [{"path": "a.txt", "blocks": True, "part": "../outside"}]
    config = CorpusConfig.model_validate({"sources": sources})
    with pytest.raises(DataError, match="cannot name a file"):
        build_corpus(config, tmp_path / "c", base=tmp_path)


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    write_blocks(tmp_path / "a.txt", [story(seed) for seed in range(20)])
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / "documents").write_text("a file in the way", encoding="utf-8")
    with pytest.raises(DataError, match=f"cannot be written to {tmp_path / 'c'}: "):
        build_corpus(settings("a.txt"), tmp_path / "c", base=tmp_path)


def test_a_second_builder_is_refused(tmp_path: Path) -> None:
    write_blocks(tmp_path / "a.txt", [story(seed) for seed in range(20)])
    with hold_folder(tmp_path / "c"), pytest.raises(RunError, match="in use"):
        build_corpus(settings("a.txt"), tmp_path / "c", base=tmp_path)


def test_a_damaged_manifest_and_a_missing_one_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds no finished corpus"):
        load_manifest(tmp_path)
    (tmp_path / "manifest.json").write_text('{"parts": 3}', encoding="utf-8")
    with pytest.raises(DataError, match="is damaged"):
        load_manifest(tmp_path)
    with pytest.raises(DataError, match="no documents of the split"):
        list(iterate_documents(tmp_path, "main", "train"))


def test_the_toy_world_is_neither_cleaned_nor_taken_for_its_own_copies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Stories of one template differ in a word; a rule for prose would drop nearly all of them.
    stories = [
        ("从前有一只小猫住在河边的屋子里，" * 3 + f"它有{n}个苹果。", "zh-Hans") for n in range(99)
    ]
    world = types.SimpleNamespace(write_stories=lambda config: iter([*stories, stories[0]]))
    monkeypatch.setitem(sys.modules, "hanlin.text.world", world)
    config = CorpusConfig.model_validate({"sources": [{"world": {"stories": 100}}]})
    part = build_corpus(config, tmp_path / "c", base=tmp_path).parts["main"]
    assert {reason: dropped.count for reason, dropped in part.dropped.items()} == {
        "exact duplicate": 1
    }
    assert part.documents() == 99
    assert documents(tmp_path / "c", "main", "train")[0].id.startswith("world#")
