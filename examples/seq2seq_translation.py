"""From a data.txt of sentence pairs to a translated sentence, by an LSTM or a Transformer.

    python examples/seq2seq_translation.py                        # words, then Chinese characters
    python examples/seq2seq_translation.py --level character --to zh
    python examples/seq2seq_translation.py --data data.txt --steps 3000 --out runs/mine

`data.txt` holds one pair a line, parted by a tab. Without one, sentences of the toy world are
written, in Chinese and English. The steps are those of the well-known Keras listing: fit_on_texts,
texts_to_sequences, an encoder and a decoder trained with teacher forcing, and decode_sequence,
which gives the last word and the state back to the decoder until it says <end>.
docs/guides/seq2seq.md explains them one by one.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hanlin.config import Seq2SeqConfig, TrainingConfig
from hanlin.data import (
    PairBatches,
    TextPair,
    pack_pairs,
    permute,
    read_text_pairs,
    write_text_pairs,
)
from hanlin.errors import HanlinError
from hanlin.models.seq2seq import END, START, Translator, Vocabulary, build_seq2seq
from hanlin.objectives import TeacherForcing
from hanlin.text.world import generate_story
from hanlin.text.world.grammar import grammar_of
from hanlin.tokenizers import KerasTokenizer
from hanlin.tokenizers.word import join_words, segment
from hanlin.training import choose_display, train

HELD_OUT = 200
"""Pairs that training never sees, a tenth of them at most."""


@dataclass(frozen=True)
class Side:
    """One language: its tokenizer, and how its texts become lists of words or characters."""

    tokenizer: KerasTokenizer

    @classmethod
    def fit(cls, texts: list[str], *, characters: bool, markers: bool) -> Side:
        """Fit a tokenizer; a target's texts stand between <start> and <end>."""
        side = cls(
            KerasTokenizer(char_level=True, oov_token="<unk>")
            if characters
            else KerasTokenizer(analyzer=segment, oov_token="<unk>")
        )
        side.tokenizer.fit_on_texts(side.split(text, markers=markers) for text in texts)
        return side

    def split(self, text: str, *, markers: bool = False) -> list[str]:
        """Return a text's words or characters, between the markers if they are asked for."""
        units = list(text) if self.tokenizer.char_level else segment(text)
        return [START, *units, END] if markers else units

    def sequences(self, texts: list[str], *, markers: bool = False) -> list[list[int]]:
        """Return the ids of texts."""
        split = [self.split(text, markers=markers) for text in texts]
        return self.tokenizer.texts_to_sequences(split)

    def normal(self, text: str) -> str:
        """Return a text as the model would write it: lower case, one way to set spaces."""
        units = [unit.lower() for unit in self.split(text)]
        return "".join(units) if self.tokenizer.char_level else join_words(units)


def write_toy_data(path: Path, count: int, seed: int) -> None:
    """Write `count` different sentences of the toy world in Chinese and English."""
    rng = random.Random(seed)
    pairs: dict[TextPair, None] = {}
    while len(pairs) < count:
        for event in generate_story(rng).events:
            zh, en = (grammar_of(language).write_sentence(event) for language in ("zh", "en"))
            pairs[TextPair(zh, en)] = None
    write_text_pairs(path, list(pairs)[:count])


def divide(pairs: list[TextPair], seed: int) -> tuple[list[TextPair], list[TextPair]]:
    """Return the pairs to learn from and those held out; no source stands on both sides."""
    distinct = list({pair.source: pair for pair in pairs}.values())
    order = permute(np.arange(len(distinct)), len(distinct), seed)
    count = min(HELD_OUT, max(1, len(distinct) // 10))
    shuffled = [distinct[place] for place in order]
    return shuffled[count:], shuffled[:count]


def is_chinese(texts: list[str]) -> bool:
    """Return whether most characters are Han."""
    characters = "".join(texts)
    return sum("\u4e00" <= character <= "\u9fff" for character in characters) * 2 > len(characters)


def learn(pairs: list[TextPair], level: str, given: argparse.Namespace, out: Path) -> None:
    """Train a model on pairs and write its encoder and decoder below `out`."""
    sources, targets = [pair.source for pair in pairs], [pair.target for pair in pairs]
    by_character = level == "character"
    first = Side.fit(sources, characters=by_character and is_chinese(sources), markers=False)
    second = Side.fit(targets, characters=by_character and is_chinese(targets), markers=True)
    source, target = Vocabulary(first.tokenizer), Vocabulary(second.tokenizer)
    rows = pack_pairs(first.sequences(sources), second.sequences(targets, markers=True))
    config = shape(given, source, target, length=max(16, rows.shape[1]))
    model = build_seq2seq(config, seed=given.seed)
    size = sum(parameter.numel() for parameter in model.parameters())
    print(f"  {source.size} source and {target.size} target entries, {size:,} weights", flush=True)
    batches = PairBatches(rows, rows_per_step=given.batch, seed=given.seed)
    train(
        model,
        TeacherForcing(label_smoothing=given.label_smoothing),
        batches,
        settings(given),
        folder=out / "training",
        seed=given.seed,
        fingerprints={"pairs": batches.fingerprint, "shape": config.model_dump(mode="json")},
        display=choose_display(),
        device="cpu",
    )
    Translator(model.encoder, model.decoder, source, target).save(out)


def shape(
    given: argparse.Namespace, source: Vocabulary, target: Vocabulary, *, length: int
) -> Seq2SeqConfig:
    """Return the shape of the model; no side of a pair is longer than `length`."""
    return Seq2SeqConfig(
        kind=given.kind,
        source_vocab_size=source.size,
        target_vocab_size=target.size,
        start_id=target.start_id,
        end_id=target.end_id,
        context_length=length,
        hidden_size=given.hidden_size,
        num_layers=given.layers,
        dropout=given.dropout,
    )


def settings(given: argparse.Namespace) -> TrainingConfig:
    """Return how the model learns."""
    return TrainingConfig.model_validate(
        {
            "steps": given.steps,
            "optimizer": {
                "kind": "adamw",
                "learning_rate": given.learning_rate,
                "weight_decay": 0.01,
            },
            "log_every": max(1, min(100, given.steps // 5)),
            "checkpoint": {"every_steps": 500},
            "precision": "fp32",
        }
    )


def decode_sequence(translator: Translator, input_sequence: list[int]) -> tuple[Any, ...]:
    """Return what the classic listing returns, (text, h, c); a Transformer has a cache instead."""
    text, state = translator.decode_sequence(input_sequence)
    return (text, *state) if isinstance(state, tuple) else (text, state)


def report(translator: Translator, held_out: list[TextPair], beam: int) -> float:
    """Print some sentences beside their references; return the share that is exactly right."""
    source, target = Side(translator.source.tokenizer), Side(translator.target.tokenizer)
    inputs = source.sequences([pair.source for pair in held_out])
    options = {"beam": beam, "length_penalty": 0.6 if beam > 1 else 0.0}
    found = translator.decode_batch(inputs, **options)
    texts = [translator.target.decode(each.ids) for each in found]
    wanted = [target.normal(pair.target) for pair in held_out]
    for pair, text, reference in list(zip(held_out, texts, wanted, strict=True))[:5]:
        mark = "=" if text == reference else "!"
        print(f"  {pair.source}\n    {mark} {text}\n      {reference}")
    text, *state = decode_sequence(translator, inputs[0])
    shapes = [tuple(part.shape) for part in state if hasattr(part, "shape")]
    print(f"  decode_sequence gives {text!r} and " + (f"h, c of {shapes}" if shapes else "a cache"))
    share = sum(t == w for t, w in zip(texts, wanted, strict=True)) / len(wanted)
    print(f"  exactly right: {share:.1%} of {len(wanted)} held-out pairs (beam {beam})")
    return share


def run(level: str, given: argparse.Namespace, data: Path, out: Path) -> float:
    """Do the whole example at one level; return the share of held-out pairs exactly right."""
    started = time.perf_counter()
    pairs = read_text_pairs(data)
    if given.to == "zh" and not given.data:
        pairs = [TextPair(pair.target, pair.source) for pair in pairs]
    learnt, held_out = divide(pairs, given.seed)
    print(f"{level} level, {given.kind}: {len(learnt):,} pairs, {len(held_out)} held out")
    learn(learnt, level, given, out)
    translator = Translator.load(out / "encoder", out / "decoder")
    share = report(translator, held_out, given.beam)
    print(
        f"  {time.perf_counter() - started:.0f} s; encoder and decoder lie in {out}\n", flush=True
    )
    return share


def parse(arguments: list[str] | None) -> argparse.Namespace:
    """Return the settings."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, help="lines with a tab, or JSON lines (zh, en)")
    parser.add_argument("--level", choices=("word", "character", "both"), default="both")
    parser.add_argument("--to", choices=("en", "zh"), default="en", help="of the toy world")
    parser.add_argument("--kind", choices=("lstm", "transformer"), default="lstm")
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--pairs", type=int, default=6000, help="sentences of the toy world")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--hidden-size", type=int, default=128)
    parser.add_argument("--layers", type=int, default=1)
    parser.add_argument("--dropout", type=float, default=0.0)
    parser.add_argument("--learning-rate", type=float, default=0.005)
    parser.add_argument("--label-smoothing", type=float, default=0.0)
    parser.add_argument("--beam", type=int, default=1)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, help="folder of the models; a fresh one otherwise")
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> dict[str, float]:
    """Run the example; return the share of held-out pairs exactly right, by level."""
    given = parse(arguments)
    out = given.out or Path(tempfile.mkdtemp(prefix="hanlin-seq2seq-"))
    data = given.data or out / "data.txt"
    if not given.data:
        out.mkdir(parents=True, exist_ok=True)
        write_toy_data(data, given.pairs, given.seed)
    levels = ("word", "character") if given.level == "both" else (given.level,)
    return {level: run(level, given, data, out / level) for level in levels}


if __name__ == "__main__":
    try:
        main()
    except HanlinError as error:
        print(error, file=sys.stderr)
        sys.exit(error.exit_code)
