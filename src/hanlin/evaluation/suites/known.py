"""The suites that are known by name, and how a name or a file becomes one with its data.

    blimp, zhoblimp, sling            minimal pairs of grammar, English and Chinese
    lambada, cft_cloze                a word that the model must write
    arc_easy, commonsenseqa, ...      questions with choices

No data comes with Hanlin: a suite is a description, and the file is the user's.

    python -m hanlin.evaluation.suites.known
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from pathlib import Path

from hanlin.errors import DataError, UserError
from hanlin.evaluation.suites import readers
from hanlin.evaluation.suites.items import Suite

__all__ = ["SUITES", "find_suite"]

_ENDINGS = (".jsonl", ".jsonl.gz", ".jsonl.zst")

_ALL = (
    Suite("blimp", "English minimal pairs of grammar", "blimp_en", readers.read_pair),
    Suite("zhoblimp", "Chinese minimal pairs of grammar", "zhoblimp_zh", readers.read_pair),
    Suite("sling", "Chinese minimal pairs of grammar", "sling_zh", readers.read_pair),
    Suite("lambada", "the last word of a passage", "lambada_en", readers.read_last_word, joint=" "),
    Suite("cft_cloze", "the word that a Chinese story lacks", "cft_cloze_zh", readers.read_gap),
    Suite(
        "arc_easy", "school science", "arc_easy_en", readers.read_question, "characters", joint=" "
    ),
    Suite(
        "commonsenseqa",
        "common sense",
        "commonsenseqa_en",
        readers.read_question,
        "characters",
        joint=" ",
    ),
    Suite(
        "openbookqa",
        "science facts",
        "openbookqa_en",
        readers.read_question,
        "characters",
        joint=" ",
    ),
    Suite("piqa", "how things are done", "piqa_en", readers.read_question, "characters", joint=" "),
    Suite(
        "socialiqa", "social sense", "socialiqa_en", readers.read_question, "characters", joint=" "
    ),
    Suite("hellaswag", "what happens next", "hellaswag_en", readers.read_ending, "characters"),
    Suite("xcopa", "cause and effect in Chinese", "xcopa_zh", readers.read_reason),
    Suite("cmmlu", "Chinese examinations", "cmmlu_zh", readers.read_subject_question, "characters"),
    Suite("chid", "the idiom that fits a Chinese text", "chid_idiom_zh", readers.read_gap_choice),
    Suite("cluewsc", "what a Chinese pronoun means", "cluewsc_zh", readers.read_pronoun),
)

SUITES: Mapping[str, Suite] = {suite.name: suite for suite in _ALL}


def find_suite(
    name: str, *, data: Path | None = None, folder: Path | None = None
) -> tuple[Suite, Path]:
    """Return a suite and its data file.

    `name` is a suite's name or a file of the plain shape. A known suite's file is `data`, or the
    one in `folder` that has its name.

    Raises:
        UserError: there is no such suite, or no data was named.
        DataError: the folder holds no file of it.
    """
    suite = SUITES.get(name)
    if suite is None:
        path = Path(name)
        if not path.name.endswith(_ENDINGS):
            raise UserError(_unknown(name))
        return Suite(path.name, "a set of one's own", path.name, readers.read_plain), path
    if data is not None:
        return suite, data
    if folder is None:
        raise UserError(
            f"The suite {name!r} needs its data, which Hanlin does not bring. Give --data FILE, or "
            f"--data-dir DIR with the file {suite.file}.jsonl (.gz) in it."
        )
    return suite, _find_file(suite, folder)


def _find_file(suite: Suite, folder: Path) -> Path:
    """Return the file of a suite; marks such as a licence's may stand before the ending."""
    for path in sorted(folder.glob(f"{suite.file}.*")):
        if path.name.endswith(_ENDINGS):
            return path
    raise DataError(
        f"{folder} holds no {suite.file}.jsonl, nor a packed one, for the suite {suite.name!r}. "
        "Put it there, or name the file with --data."
    )


def _unknown(name: str) -> str:
    nearest = difflib.get_close_matches(name, SUITES, n=1)
    hint = f" Did you mean {nearest[0]!r}?" if nearest else ""
    return (
        f"There is no suite {name!r}.{hint} Known are {', '.join(SUITES)}; or give a file whose "
        f"name ends in {', '.join(_ENDINGS)}."
    )


if __name__ == "__main__":
    for each in _ALL:
        print(f"{each.name:<14} {each.summary}")
