"""Classifiers taught with and without attacks, under attacks that they know and that they do not.

    python benchmarks/robustness.py reviews.jsonl.gz build/reviews --label label_name \\
        --trained sound,shape,marks --held-out pinyin,split

One recipe is written and run: a small decoder learns the training texts as plain text; from it each
arm teaches a head, with the same rows and seed. The arms: `plain`; for each `--epsilon`, in
percent, `noise-20`, random moves of the embeddings, and `fgm-20`, moves as long along the gradient;
`blind`, texts rewritten at random; `attacked`, texts rewritten against the current model. One text
in six is kept apart by its hash. Measured on it: clean accuracy on all, and, on the first
`--texts`, accuracy under greedy search by the trained families together and by those held out
together, each made afresh against the arm itself. Results are JSON lines.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from zlib import crc32

import hanlin
from hanlin.attacks import Budget, choose_families
from hanlin.evaluation import Share, measure_robustness
from hanlin.tasks import HeadVictim, Labelled, read_labelled, read_records

_TEST_SHARE = 6

_RECIPE = """
name = "robustness"
prompts = [""]
seed = {seed}

[[corpus.sources]]
path = "train.jsonl"

[corpus]
validation_share = 0.01
test_share = 0.01

[corpus.cleaning]
quality = false
near_duplicates = false

[tokenizer]
vocab_size = 2000

[model]
hidden_size = 64
num_layers = 2
num_heads = 4
context_length = 96

[evaluation]
ngram_order = 0
test_tokens = 500
samples = 0

[[stages]]
name = "base"
kind = "language"
training = {{ steps = {steps}, batch_tokens = 1536, eval_every = 10000, eval_tokens = 500, \
sample_every = 0 }}
"""

_ARM = """
[[stages]]
name = "{name}"
kind = "task"
from = "base"
training = {{ steps = {steps}, batch_tokens = 1536, eval_every = 10000, eval_tokens = 500, \
sample_every = 0 }}

[stages.task]
replay = 0

[[stages.task.tasks]]
name = "label"
path = "train.jsonl"
head = {{}}
{table}
"""

_MOVE = '[stages.task.adversarial]\nmethod = "{method}"\nepsilon = {epsilon}\nmeasured = 0\n'
_REWRITE = (
    "[stages.task.adversarial]\nfamilies = {families}\nshare = 0.5\nbudget = {budget}\n"
    "tries = {tries}\nmeasured = 0\n"
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--label", default="label")
    parser.add_argument("--trained", required=True)
    parser.add_argument("--held-out", required=True)
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--texts", type=int, default=150)
    parser.add_argument("--epsilon", type=float, nargs="+", default=[0.2, 0.05])
    parser.add_argument("--budget", type=float, default=0.2)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    test = split(options.file, options.folder, options.label)
    arms = tables(options)
    recipe = options.folder / "recipe.toml"
    stages = [_ARM.format(name=n, steps=options.steps, table=table) for n, table in arms.items()]
    begin = _RECIPE.format(seed=options.seed, steps=options.steps)
    recipe.write_text(begin + "".join(stages), encoding="utf-8")
    began = time.process_time()
    run = hanlin.run(recipe, folder=options.folder / "run", quiet=True)
    print(json.dumps({"training_seconds": round(time.process_time() - began)}), flush=True)
    for number, name in enumerate(arms, start=2):
        measure(name, run / f"stages/{number}-{name}/model", test, options)


def split(file: Path, folder: Path, label: str) -> list[Labelled]:
    """Write the training texts to a file, and return the others."""
    folder.mkdir(parents=True, exist_ok=True)
    lines, test = [], []
    for record in read_records(file):
        one = read_labelled(record, label)
        if crc32(one.text.encode()) % _TEST_SHARE == 0:
            test.append(one)
        else:
            values = {"text": one.text, "label": one.label}
            lines.append(json.dumps(values, ensure_ascii=False))
    (folder / "train.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return test


def tables(options: argparse.Namespace) -> dict[str, str]:
    """Return each arm's table `adversarial`."""
    families = json.dumps(choose_families(options.trained.split(",")))
    rewriting = {"families": families, "budget": options.budget}
    moves = {
        f"{method}-{epsilon * 100:.0f}": _MOVE.format(method=method, epsilon=epsilon)
        for epsilon in options.epsilon
        for method in ("noise", "fgm")
    }
    return {
        "plain": "",
        **moves,
        "blind": _REWRITE.format(tries=1, **rewriting),
        "attacked": _REWRITE.format(tries=4, **rewriting),
    }


def measure(name: str, folder: Path, test: list[Labelled], options: argparse.Namespace) -> None:
    began = time.process_time()
    model = hanlin.load(folder, device="cpu")
    said = model.classify_batch([one.text for one in test])
    right = sum(a.label == b.label for a, b in zip(said, test, strict=True))
    victim = HeadVictim(model.decoder, model.tokenizer, model.released_head())
    texts = [(one.text, one.label) for one in test if victim.fits(one.text)][: options.texts]
    attacks = {
        "trained": choose_families(options.trained.split(",")),
        "held_out": choose_families(options.held_out.split(",")),
    }
    report = measure_robustness(victim, texts, attacks, Budget(options.budget), seed=options.seed)
    found = {
        "arm": name,
        "clean": Share(right, len(test)).as_dict(),
        **report.as_dict()["by_attack"],
        "seconds": round(time.process_time() - began),
    }
    print(json.dumps(found, ensure_ascii=False), flush=True)


if __name__ == "__main__":
    main()
