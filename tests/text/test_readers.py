"""Each format yields its texts; folders leave out what they must and count it."""

from __future__ import annotations

import csv
import gzip
import json
import os
from pathlib import Path

import docx
import pyarrow
import pyarrow.parquet
import pytest
import zstandard

from hanlin.config import SourceConfig
from hanlin.errors import DataError
from hanlin.text.readers import SourceReader, read_documents

ZH = "春眠不觉晓，处处闻啼鸟。"
EN = "The quick brown fox jumps over the lazy dog."


def texts(base: Path, **settings: object) -> list[str]:
    source = SourceConfig.model_validate(settings)
    return [document.text for document in read_documents(source, base)]


def write_rows(path: Path, rows: list[dict[str, str]], delimiter: str = ",") -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), delimiter=delimiter)
        writer.writeheader()
        writer.writerows(rows)


def write_pdf(path: Path, line: str) -> None:
    """Write the smallest PDF with one line of text."""
    stream = f"BT /F1 12 Tf 72 700 Td ({line}) Tj ET".encode()
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R"
        b" /Resources << /Font << /F1 5 0 R >> >> >>",
        b"<< /Length %d >>\nstream\n%b\nendstream" % (len(stream), stream),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    data, offsets = b"%PDF-1.4\n", []
    for number, body in enumerate(objects, start=1):
        offsets.append(len(data))
        data += b"%d 0 obj\n%b\nendobj\n" % (number, body)
    start = len(data)
    data += b"xref\n0 6\n0000000000 65535 f \n"
    data += b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    data += b"trailer << /Size 6 /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % start
    path.write_bytes(data)


def test_a_plain_file_is_one_document_with_a_stable_id(tmp_path: Path) -> None:
    (tmp_path / "poem.txt").write_text(f"{ZH}\n\n{EN}\n", encoding="utf-8")
    [document] = read_documents(SourceConfig(path="poem.txt"), tmp_path)
    assert document.text == f"{ZH}\n\n{EN}\n"
    assert (document.id, document.source, document.language) == ("poem.txt#0", "poem.txt", "")


def test_blank_lines_part_documents_where_blocks_are_set(tmp_path: Path) -> None:
    (tmp_path / "poems.txt").write_text(f"\n{ZH}\n第二行\n\n \n{EN}\n", encoding="utf-8")
    assert texts(tmp_path, path="poems.txt", blocks=True) == [f"{ZH}\n第二行\n", f"{EN}\n"]


def test_line_ends_of_every_system_are_the_same(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"one\r\ntwo\rthree\n")
    assert texts(tmp_path, path="a.txt") == ["one\ntwo\nthree\n"]


@pytest.mark.parametrize("suffix", [".gz", ".zst"])
def test_packed_files_are_unpacked(tmp_path: Path, suffix: str) -> None:
    pack = gzip.compress if suffix == ".gz" else zstandard.compress
    (tmp_path / f"a.txt{suffix}").write_bytes(pack(ZH.encode("gb18030")))
    assert texts(tmp_path, path=f"a.txt{suffix}") == [ZH]


def test_a_zst_file_of_several_frames_is_read_to_its_end(tmp_path: Path) -> None:
    (tmp_path / "a.txt.zst").write_bytes(zstandard.compress(b"one ") + zstandard.compress(b"two"))
    assert texts(tmp_path, path="a.txt.zst") == ["one two"]


def test_jsonl_gives_its_field_and_counts_records_without_it(tmp_path: Path) -> None:
    rows = [{"body": ZH}, {"title": "none"}, {"body": EN}]
    lines = "\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
    (tmp_path / "a.jsonl").write_text(lines, encoding="utf-8")
    reader = SourceReader(SourceConfig(path="a.jsonl", field="body"), tmp_path)
    assert [document.text for document in reader] == [ZH, EN]
    assert reader.reading.tally.counts == {"record without the field 'body'": 1}


@pytest.mark.parametrize(("suffix", "delimiter"), [(".csv", ","), (".tsv", "\t")])
def test_tables_give_their_field(tmp_path: Path, suffix: str, delimiter: str) -> None:
    long = "长" * 200_000
    write_rows(
        tmp_path / f"a{suffix}", [{"n": "1", "text": "a\nb"}, {"n": "2", "text": long}], delimiter
    )
    assert texts(tmp_path, path=f"a{suffix}") == ["a\nb", long]


@pytest.mark.parametrize("packed", [False, True])
def test_parquet_gives_its_field(tmp_path: Path, packed: bool) -> None:
    path = tmp_path / "a.parquet"
    pyarrow.parquet.write_table(pyarrow.table({"text": [ZH, None, EN], "n": [1, 2, 3]}), path)
    if packed:
        (tmp_path / "a.parquet.gz").write_bytes(gzip.compress(path.read_bytes()))
        path = tmp_path / "a.parquet.gz"
    assert texts(tmp_path, path=path.name) == [ZH, EN]


def test_docx_gives_paragraphs_and_tables_in_order(tmp_path: Path) -> None:
    document = docx.Document()
    document.add_paragraph(ZH)
    document.add_table(rows=1, cols=2).rows[0].cells[1].text = "格"
    document.add_paragraph(EN)
    document.save(str(tmp_path / "a.docx"))
    assert texts(tmp_path, path="a.docx") == [f"{ZH}\n 格\n{EN}\n"]


def test_pdf_gives_its_text(tmp_path: Path) -> None:
    write_pdf(tmp_path / "a.pdf", EN)
    assert texts(tmp_path, path="a.pdf") == [EN]


def test_html_gives_its_main_content(tmp_path: Path) -> None:
    page = "<html><head><title>t</title><style>p{}</style></head><body><nav>菜单</nav><article>"
    page += f"<h1>题</h1><p>{ZH}<script>x()</script></p></article><footer>脚</footer></body></html>"
    (tmp_path / "a.html").write_bytes(page.encode("gb18030"))
    assert texts(tmp_path, path="a.html") == [f"题\n\n{ZH}"]


def test_a_folder_is_read_in_the_order_of_names_and_counts_the_rest(tmp_path: Path) -> None:
    (tmp_path / "docs" / "b").mkdir(parents=True)
    (tmp_path / "docs" / "b" / "2.txt").write_text("two", encoding="utf-8")
    (tmp_path / "docs" / "a.md").write_text("# One", encoding="utf-8")
    (tmp_path / "docs" / "photo.jpg").write_bytes(b"\xff\xd8\xff")
    (tmp_path / "docs" / "fake.txt").write_bytes(b"\x7fELF\0\0\0\xff\xfe")
    (tmp_path / "docs" / ".secret.txt").write_text("hidden", encoding="utf-8")
    reader = SourceReader(SourceConfig(path="docs"), tmp_path)
    assert [(d.id, d.text) for d in reader] == [("docs/a.md#0", "One"), ("docs/b/2.txt#0", "two")]
    assert reader.reading.tally.counts == {
        "file of unknown kind": 1,
        "hidden file": 1,
        "unreadable file": 1,
    }
    [sample] = reader.reading.tally.samples["unreadable file"]
    assert sample.startswith("fake.txt: ")


def test_a_glob_finds_its_files(tmp_path: Path) -> None:
    for name in ("2.txt", "1.txt", "3.md"):
        (tmp_path / name).write_text(name, encoding="utf-8")
    assert texts(tmp_path, path="*.txt") == ["1.txt", "2.txt"]
    assert texts(tmp_path, path=str(tmp_path / "*.md")) == ["3.md"]


def test_a_glob_may_start_above_its_base_whose_name_looks_like_one(tmp_path: Path) -> None:
    (tmp_path / "recipes [1]").mkdir()
    (tmp_path / "a.txt").write_text(ZH, encoding="utf-8")
    assert texts(tmp_path / "recipes [1]", path="../*.txt", name="poems") == [ZH]


def test_a_broken_link_is_counted(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "a.txt").write_text(ZH, encoding="utf-8")
    (tmp_path / "docs" / "b.txt").symlink_to(tmp_path / "nowhere")
    reader = SourceReader(SourceConfig(path="docs"), tmp_path)
    assert [document.text for document in reader] == [ZH]
    assert reader.reading.tally.counts == {"broken link": 1}


def test_a_novel_in_one_file_is_cut_at_paragraph_ends(tmp_path: Path) -> None:
    paragraph = "话说天下大势，分久必合，合久必分。" * 10 + "\n"
    (tmp_path / "novel.txt").write_text(paragraph * 200, encoding="utf-8")
    reader = SourceReader(SourceConfig(path="novel.txt"), tmp_path)
    pieces = [document.text for document in reader]
    assert "".join(pieces) == paragraph * 200
    assert all(piece.endswith("\n") for piece in pieces)
    assert all(2_000 <= len(piece) <= 8_200 for piece in pieces)
    assert reader.reading.cut == 1


def test_a_file_without_line_ends_is_cut_after_sentences(tmp_path: Path) -> None:
    (tmp_path / "line.txt").write_text("这是一句话。" * 3_000, encoding="utf-8")
    pieces = texts(tmp_path, path="line.txt")
    assert len(pieces) > 2
    assert all(piece.endswith("。") for piece in pieces)


def test_a_record_stays_whole(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text(json.dumps({"text": EN * 1000}), encoding="utf-8")
    assert texts(tmp_path, path="a.jsonl") == [EN * 1000]


def test_english_first_and_chinese_later_is_decoded_by_the_chinese(tmp_path: Path) -> None:
    text = EN * 30_000 + "\n" + ZH * 10
    (tmp_path / "a.txt").write_bytes(text.encode("gb18030"))
    assert "".join(texts(tmp_path, path="a.txt")) == text


@pytest.mark.parametrize("blocks", [True, False])
def test_documents_come_while_a_large_file_is_still_being_read(
    tmp_path: Path, blocks: bool
) -> None:
    data = gzip.compress(f"{ZH}\n\n".encode() * 400_000, compresslevel=0)
    (tmp_path / "a.txt.gz").write_bytes(data)
    reader = SourceReader(SourceConfig(path="a.txt.gz", blocks=blocks), tmp_path)
    assert next(iter(reader)).text.startswith(ZH)
    assert 0 < reader.reading.bytes < len(data) / 4


def test_a_bad_byte_deep_in_a_file_is_named_with_its_offset(tmp_path: Path) -> None:
    data = bytearray((ZH * 100_000).encode())
    data[3_000_000] = 0xFF
    (tmp_path / "a.txt").write_bytes(data)
    with pytest.raises(DataError, match="byte 0xff at offset 3000000 "):
        texts(tmp_path, path="a.txt")


def test_a_missing_path_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nowhere\.txt, where nothing lies"):
        texts(tmp_path, path="nowhere.txt")


def test_a_folder_without_text_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"\xff\xd8\xff")
    with pytest.raises(DataError, match="1 files, none of a known kind"):
        texts(tmp_path, path=".", name="pictures")


def test_a_wrong_field_is_named_with_those_that_exist(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"question": "q", "answer": "a"}\n', encoding="utf-8")
    with pytest.raises(
        DataError, match="no text in the field 'text'; its fields are: question, ans"
    ):
        texts(tmp_path, path="a.jsonl")


def test_a_broken_json_line_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"text": "a"}\n{"text": \n', encoding="utf-8")
    with pytest.raises(DataError, match=r"a\.jsonl: line 2 is not JSON"):
        texts(tmp_path, path="a.jsonl")


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.txt.gz", gzip.compress(ZH.encode() * 99, mtime=0)[:-12]),
        ("a.txt.gz", b"not gzip at all"),
        ("a.txt.zst", b"not zstandard at all"),
        ("a.parquet", b"PAR1 and nothing more"),
        ("a.docx", b"PK\x03\x04 and nothing more"),
        ("a.pdf", b"%PDF-1.4 and nothing more"),
    ],
)
def test_a_damaged_file_is_named(tmp_path: Path, name: str, data: bytes) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(DataError, match=name):
        texts(tmp_path, path=name)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_forbidden_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text(EN, encoding="utf-8")
    path.chmod(0)
    with pytest.raises(DataError, match="cannot be read"):
        texts(tmp_path, path="a.txt")
