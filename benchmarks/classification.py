"""A head against what needs no network: the commonest label, and TF-IDF with logistic regression.

    python benchmarks/classification.py split reviews.jsonl.gz parts --label label_name
    hanlin run recipe.toml            # its stages read parts/train.jsonl alone
    python benchmarks/classification.py compare parts --model runs/reviews --head sentiment

`split` keeps one text in six apart by its hash; a text that occurs twice is in one part. `compare`
fits the baselines on parts/train.jsonl and measures all on parts/test.jsonl: accuracy with a 95 %
interval (Wilson), macro F1, and expected calibration error. Features are characters (1 to 3 of
them) where most texts are Chinese, otherwise words and pairs of words; the strength of the
regression is chosen on a tenth of the training texts. Results are JSON lines. It needs
scikit-learn: pip install 'hanlin[bench]'.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from zlib import crc32

import torch

import hanlin
from hanlin.evaluation import calibration_error, wilson_interval
from hanlin.tasks import read_records
from hanlin.tasks.classify import Labelled, label_scores, read_labelled

_TEST_SHARE = 6
_STRENGTHS = (0.5, 2.0, 8.0, 32.0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    split_options = verbs.add_parser("split")
    split_options.add_argument("file", type=Path)
    split_options.add_argument("folder", type=Path)
    split_options.add_argument("--label", default="label")
    compare_options = verbs.add_parser("compare")
    compare_options.add_argument("folder", type=Path)
    compare_options.add_argument("--model", type=Path, action="append", default=[])
    compare_options.add_argument("--head", default="")
    options = parser.parse_args()
    if options.verb == "split":
        split(options.file, options.folder, options.label)
    else:
        compare(options.folder, options.model, options.head)


def split(file: Path, folder: Path, label: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    parts: dict[str, list[str]] = {"train": [], "test": []}
    for record in read_records(file):
        one = read_labelled(record, label)
        values = {"text": one.text, "text2": one.text2 or None, "label": one.label}
        apart = crc32(f"{one.text}\0{one.text2}".encode()) % _TEST_SHARE == 0
        parts["test" if apart else "train"].append(json.dumps(values, ensure_ascii=False))
    for name, lines in parts.items():
        (folder / f"{name}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
        print(json.dumps({"part": name, "texts": len(lines)}))


def compare(folder: Path, models: Sequence[Path], head: str) -> None:
    train, test = (read(folder / f"{name}.jsonl") for name in ("train", "test"))
    wanted = [one.label for one in test]
    common = Counter(one.label for one in train).most_common(1)[0][0]
    report("commonest label", wanted, [common] * len(test), None)
    began = time.perf_counter()
    labels, chances = tfidf_chances(train, test)
    chosen = [labels[row.index(max(row))] for row in chances]
    seconds = time.perf_counter() - began
    report("tf-idf, logistic regression", wanted, chosen, (labels, chances), seconds=seconds)
    for path in models:
        began = time.perf_counter()
        found = hanlin.load(path).classify_batch([(t.text, t.text2) for t in test], head=head)
        labels = list(found[0].probabilities)
        chances = [list(one.probabilities.values()) for one in found]
        seconds = time.perf_counter() - began
        cut = sum(one.cut > 0 for one in found)
        chosen = [one.label for one in found]
        report(str(path), wanted, chosen, (labels, chances), seconds=seconds, cut=cut)


def read(path: Path) -> list[Labelled]:
    return [read_labelled(record) for record in read_records(path)]


def tfidf_chances(
    train: Sequence[Labelled], test: Sequence[Labelled]
) -> tuple[list[str], list[list[float]]]:
    """Return the labels and their probabilities for each test text."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression

    chinese = sum(one.language == "zh" for one in train) * 2 > len(train)
    units, longest = ("char", 3) if chinese else ("word", 2)
    vectorizer = TfidfVectorizer(analyzer=units, ngram_range=(1, longest), sublinear_tf=True)
    features = vectorizer.fit_transform([f"{one.text}\n{one.text2}" for one in train])
    labels = [one.label for one in train]
    inside = [n for n, one in enumerate(train) if crc32(one.text.encode()) % 10]
    outside = sorted(set(range(len(train))) - set(inside))

    def fit(rows: Sequence[int], strength: float) -> Any:
        model = LogisticRegression(C=strength, max_iter=1000)
        return model.fit(features[rows], [labels[row] for row in rows])

    def score(strength: float) -> float:
        model = fit(inside, strength)
        return float(model.score(features[outside], [labels[row] for row in outside]))

    model = fit(range(len(train)), max(_STRENGTHS, key=score))
    rows = vectorizer.transform([f"{one.text}\n{one.text2}" for one in test])
    return list(model.classes_), model.predict_proba(rows).tolist()


def report(
    name: str,
    wanted: Sequence[str],
    chosen: Sequence[str],
    chances: tuple[Sequence[str], Sequence[Sequence[float]]] | None,
    **more: float,
) -> None:
    right = sum(a == b for a, b in zip(chosen, wanted, strict=True))
    interval = wilson_interval(right, len(wanted))
    found: dict[str, Any] = {
        "classifier": name,
        "texts": len(wanted),
        **label_scores(chosen, wanted, sorted(set(wanted))),
        "interval": [interval.low, interval.high],
        **more,
    }
    if chances is not None:
        labels, rows = chances
        known = [n for n, label in enumerate(wanted) if label in labels]
        numbers = torch.tensor([list(labels).index(wanted[n]) for n in known])
        found["calibration_error"] = calibration_error(torch.tensor(rows)[known], numbers)
    print(json.dumps(found, ensure_ascii=False), flush=True)


if __name__ == "__main__":
    main()
