"""How the report says numbers and names: labels of known keys, units by key, languages, tables.

Results may hold entries that the report has never heard of; they are shown too, under their own
names, with the unit that the end of the name suggests.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from hanlin.planning.units import bits, count, duration, exact, power, share, size
from hanlin.runs.report import blocks
from hanlin.runs.report.chinese import CHINESE
from hanlin.runs.report.facts import Table, number, table
from hanlin.runs.report.phrases import Phrase, listed

__all__ = [
    "by_language",
    "generic_table",
    "headed",
    "is_interval",
    "joined",
    "label",
    "language_name",
    "language_order",
    "language_table",
    "matrix_table",
    "pair",
    "say",
    "sizes_sentence",
    "text_language",
    "time_text",
    "titled",
]

_LANGUAGES = {
    "zh": "Chinese",
    "zh-Hans": "Chinese (simplified)",
    "zh-Hant": "Chinese (traditional)",
    "en": "English",
    "other": "other languages",
    "all": "all text",
}
_LABELS = {
    "bits_per_byte": "bits per byte",
    "bits_per_character": "bits per character",
    "next_character_accuracy": "next-character accuracy",
    "character_accuracy": "next-character accuracy",
    "ngram": "n-gram",
    "mfu": "MFU",
    "flops": "FLOPs",
    "seconds": "time",
    "flops_per_second": "FLOPs per second",
    **{f"seq_rep_{n}": f"repeated {n}-grams" for n in range(1, 5)},
    **{f"distinct_{n}": f"distinct {n}-grams" for n in range(1, 5)},
    "shared_4": "4-grams shared between texts",
    "zipf_slope": "Zipf slope",
    "ngram_size": "n of the n-grams below",
    "found": "n-grams found in training",
    "copied": "texts copied whole",
    "longest_mean": "longest stretch found, mean",
    "longest_median": "longest stretch found, median",
    "longest_max": "longest stretch found, of all",
    "longest_run_mean": "longest run, mean",
    "longest_run_max": "longest run, of all",
}
_SIZES = ("documents", "lossy_documents", "tokens", "bytes", "characters", "texts", "units")
_SHARES = (
    "share",
    "accuracy",
    "mfu",
    "repetition",
    "distinct",
    "natural",
    "weighted",
    "seq_rep",
    "diversity",
)
_WORDS = ("verdict", "spread", "kind", "compute")
"""Keys whose values are words of Hanlin's own, not of the recipe's author."""
_TRADITIONAL = frozenset("這們個來說時國過對會為開樣還關東車長門問間見學語書話後從應經電頭馬鳥魚")
_SIMPLIFIED = frozenset("这们个来说时国过对会为开样还关东车长门问间见学语书话后从应经电头马鸟鱼")


def label(key: str) -> str:
    """Return what a key is called; units that `say` writes beside the value are left out.

    >>> label("bits_per_byte"), label("peak_memory_bytes"), label("training_seconds")
    ('bits per byte', 'peak memory', 'training')
    """
    plain = key.removesuffix("_seconds").removesuffix("_bytes").replace("_", " ")
    return _known(_LABELS.get(key) or plain)


def language_name(key: str) -> str:
    """Return the English name of a language, or of a group that is named after one.

    >>> language_name("zh"), language_name("en, human")
    ('Chinese', 'English, human')
    """
    language, comma, rest = key.partition(", ")
    name = _known(_LANGUAGES.get(language, language))
    return Phrase("{language}, {group}", language=name, group=_known(rest)) if comma else name


def say(key: str, value: Any) -> str:
    """Write a value with the unit that its key suggests.

    >>> say("seconds", 75), say("peak_memory_bytes", 2e9), say("accuracy", 0.5), say("note", "a")
    ('1 min 15 s', '2.00 GB', '50 %', 'a')
    """
    if isinstance(value, bool):
        return Phrase("yes") if value else Phrase("no")
    if is_interval(value):
        return _say_interval(key, value)
    found = number(value)
    if found is None:
        return _say_other(key, value)
    if key == "bits_per_byte" or key.startswith("bits_per"):
        return bits(found)
    if "flops" in key and abs(found) >= 1e6:
        return power(found)
    if key.endswith(("seconds", "_s")):
        return time_text(found)
    if key.endswith("bytes"):
        return size(found)
    if key == "parameters" or (key == "tokens" and found >= 1e5):
        return count(found)
    if 0 <= found <= 1 and any(word in key for word in _SHARES):
        return share(found)
    return exact(found)


def time_text(seconds: float) -> str:
    """Return a time in words of the report's language.

    >>> time_text(95)
    '1 min 35 s'
    """
    text = duration(seconds)
    numbers = re.findall(r"[\d.,]+", text)
    names = [f"text{place}" for place in range(len(numbers))]
    template = re.sub(r"[\d.,]+", "{}", text).format(*(f"{{{name}}}" for name in names))
    return Phrase(template, **dict(zip(names, numbers, strict=True)))


def headed(text: str) -> str:
    """Return a text with a capital at its beginning."""
    return text.headed() if isinstance(text, Phrase) else text[:1].upper() + text[1:]


def pair(key: str, value: Any) -> str:
    """Return a key and its value, as `loss: 3.1`."""
    return Phrase("{name}: {value}", name=label(key), value=say(key, value))


def is_interval(value: Any) -> bool:
    """Return whether a value is a measure with its bounds: value, low and high."""
    return isinstance(value, dict) and {"value", "low", "high"} <= value.keys()


def sizes_sentence(value: Any) -> str:
    """Say on how much text by language an evaluation stands; empty where it does not say.

    >>> sizes_sentence({"zh": {"documents": 12, "bytes": 34_000}})
    'Measured on 12 Chinese documents (34.0 kB).'
    """
    parts = []
    for language, metrics in by_language(value).items():
        documents, length = number(metrics.get("documents")), number(metrics.get("bytes"))
        if documents is not None and length is not None:
            name = language_name(language)
            parts.append(
                Phrase(
                    "{count} {language} documents ({size})",
                    count=exact(documents),
                    language=name,
                    size=size(length),
                )
            )
    return Phrase("Measured on {documents}.", documents=joined(parts)) if parts else ""


def joined(texts: Sequence[str]) -> str:
    """Return texts with an "and" before the last.

    >>> joined(["a", "b", "c"])
    'a, b and c'
    """
    if len(texts) < 2:
        return texts[0] if texts else ""
    return Phrase("{several} and {last}", several=listed(texts[:-1]), last=texts[-1])


def language_order(key: str) -> tuple[int, str]:
    """Return a sorting key that puts Chinese before English before the rest."""
    order = ("zh", "en")
    return (order.index(key[:2]) if key[:2] in order else len(order), key)


def by_language(value: Any) -> dict[str, Table]:
    """Return the tables by language of an evaluation, however it nests them."""
    whole = table(value)
    inner = table(whole.get("by_language"))
    found = inner or {key: entry for key, entry in whole.items() if key in _LANGUAGES}
    return {
        key: found[key] if isinstance(found[key], dict) else {"value": found[key]}
        for key in sorted(found, key=language_order)
    }


def language_table(systems: Mapping[str, Any], caption: str) -> blocks.Table | None:
    """Return a table of one column a system and one row a metric and language."""
    scores = {name: by_language(value) for name, value in systems.items() if by_language(value)}
    rows = dict.fromkeys(
        (metric, language)
        for languages in scores.values()
        for language, metrics in languages.items()
        for metric, value in metrics.items()
        if metric not in _SIZES and (number(value) is not None or is_interval(value))
    )
    if not rows:
        return None
    metrics = list(dict.fromkeys(metric for metric, _ in rows))
    ordered = sorted(rows, key=lambda row: (metrics.index(row[0]), language_order(row[1])))
    cells = tuple(
        (
            listed((label(metric), language_name(language))),
            *(_cell(languages, metric, language) for languages in scores.values()),
        )
        for metric, language in ordered
    )
    return blocks.Table(("", *(label(name) for name in scores)), cells, caption)


def generic_table(value: Any, caption: str, *, headers: tuple[str, str] = ("", "")) -> blocks.Table:
    """Return any nested table as rows of name and value."""
    rows = tuple((name, text) for name, text in _flat(table(value), ()))
    return blocks.Table(headers, rows, caption)


def matrix_table(value: Mapping[str, Any], caption: str) -> blocks.Table:
    """Return a table of tables as one row a name and one column a key."""
    keys = list(dict.fromkeys(key for entry in value.values() for key in table(entry)))
    rows = tuple(
        (str(name), *(say(key, table(entry).get(key)) for key in keys))
        for name, entry in value.items()
    )
    return blocks.Table(("", *(label(key) for key in keys)), rows, caption)


def titled(title: str, suffix: str) -> str:
    """Return a title and what tells it from others of its kind."""
    return Phrase("{title}{suffix}", title=title, suffix=suffix)


def text_language(text: str) -> str:
    """Guess the `lang` attribute of a text: Chinese where a tenth of it is Han, else English.

    >>> text_language("从前有一只猫"), text_language("從前有一隻貓，牠說話"), text_language("A cat")
    ('zh-Hans', 'zh-Hant', 'en')
    """
    han = sum("\u3400" <= letter <= "\u9fff" for letter in text)
    if not han or han * 10 < len(text):
        return "en"
    traditional = sum(letter in _TRADITIONAL for letter in text)
    simplified = sum(letter in _SIMPLIFIED for letter in text)
    return "zh-Hant" if traditional > simplified else "zh-Hans"


def _say_interval(key: str, value: Table) -> str:
    """Say a measure with its bounds; one that counts successes is a share."""
    unit = "share" if "successes" in value else key
    if number(value["value"]) is None:
        return "—"
    said = {name: say(unit, value[name]) for name in ("value", "low", "high")}
    return Phrase("{value} ({low} to {high})", **said)


def _cell(languages: Mapping[str, Table], metric: str, language: str) -> str:
    value = languages.get(language, {}).get(metric)
    return "—" if value is None else say(metric, value)


def _flat(value: Mapping[str, Any], path: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    for key, entry in value.items():
        here = (*path, language_name(key) if key in _LANGUAGES else label(str(key)))
        if isinstance(entry, dict) and entry and not is_interval(entry):
            yield from _flat(entry, here)
        else:
            yield listed(here, " · "), say(str(key), entry)


def _say_other(key: str, value: Any) -> str:
    if isinstance(value, list | tuple):
        return listed(say(key, entry) for entry in value)
    if isinstance(value, dict):
        return listed(pair(str(k), v) for k, v in value.items()) or "—"
    return "—" if value is None else _known(str(value)) if key in _WORDS else str(value)


def _known(text: str) -> str:
    """Return a text as a phrase, if it can be said in another language."""
    return Phrase(text) if text in CHINESE else text
