"""A head at work: the logits of texts, how well it does on them, and a label with probabilities.

python -m hanlin.tasks.classifying FOLDER TEXT
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from hanlin.errors import UserError
from hanlin.evaluation import fit_temperature, measure_calibration
from hanlin.models.heads import ClassifierHead, classify_ids, pad_rows
from hanlin.tasks.classify import Labelled, label_scores
from hanlin.tasks.labels import encode_text

if TYPE_CHECKING:
    from hanlin.models import Decoder
    from hanlin.models.head_folder import ReleasedHead
    from hanlin.tokenizers import Tokenizer

__all__ = ["Classified", "calibrate_head", "classify_texts", "label_logits", "measure_head"]

_BATCH = 32

Text = str | tuple[str, str]
"""A text, or a pair of texts."""


@dataclass(frozen=True, slots=True)
class Classified:
    """A text's label."""

    label: str
    """The likeliest one."""
    probability: float
    """How likely it is."""
    probabilities: Mapping[str, float] = field(repr=False)
    """Of every label, in the order of the output nodes."""
    cut: int
    """Tokens of the text that did not fit and were not read."""


def classify_texts(
    decoder: Decoder, tokenizer: Tokenizer, released: ReleasedHead, texts: Sequence[Text]
) -> list[Classified]:
    """Return each text's label with calibrated probabilities.

    Raises:
        UserError: a text is empty.
    """
    pairs = [(text, "") if isinstance(text, str) else text for text in texts]
    for number, pair in enumerate(pairs, start=1):
        if not pair[0].strip():
            raise UserError(f"There is no text to classify: number {number} is blank.")
    encoded = [
        encode_text(tokenizer, text.strip(), text2.strip(), released.context)
        for text, text2 in pairs
    ]
    logits = label_logits(decoder, released.head, [ids for ids, _ in encoded])
    chances = (logits.double() / released.temperature).softmax(-1).tolist()
    labels = released.head.labels
    found = []
    for row, (_, cut) in zip(chances, encoded, strict=True):
        probability = max(row)
        label = labels[row.index(probability)]
        found.append(Classified(label, probability, dict(zip(labels, row, strict=True)), cut))
    return found


@torch.inference_mode()
def label_logits(decoder: Decoder, head: ClassifierHead, texts: Sequence[Sequence[int]]) -> Tensor:
    """Return the logits (N, K) of texts as ids, on the CPU; texts of one length go together."""
    logits = torch.zeros(len(texts), len(head.labels))
    order = sorted(range(len(texts)), key=lambda number: len(texts[number]))
    device = decoder.embedding.weight.device
    for start in range(0, len(order), _BATCH):
        numbers = order[start : start + _BATCH]
        ids, mask = pad_rows([texts[number] for number in numbers], device)
        logits[numbers] = classify_ids(decoder, head, ids, mask).float().cpu()
    return logits


def calibrate_head(
    decoder: Decoder,
    tokenizer: Tokenizer,
    head: ClassifierHead,
    examples: Sequence[Labelled],
    context: int,
) -> float:
    """Return the temperature that fits examples best; 1 where there are none."""
    if not examples:
        return 1.0
    logits, labels = _logits_and_labels(decoder, tokenizer, head, examples, context)
    return fit_temperature(logits, labels)


def measure_head(
    decoder: Decoder,
    tokenizer: Tokenizer,
    released: ReleasedHead,
    examples: Sequence[Labelled],
    commonest: str,
) -> dict[str, Any]:
    """Return accuracy, macro F1 and calibration beside always saying the commonest label."""
    head = released.head
    logits, wanted = _logits_and_labels(decoder, tokenizer, head, examples, released.context)
    named = [example.label for example in examples]
    chosen = [head.labels[number] for number in logits.argmax(-1).tolist()]
    return {
        "examples": len(examples),
        "labels": Counter(named),
        **label_scores(chosen, named, head.labels),
        "calibration": measure_calibration(logits, wanted, released.temperature),
        "controls": {"commonest": label_scores([commonest] * len(named), named, head.labels)},
    }


def _logits_and_labels(
    decoder: Decoder,
    tokenizer: Tokenizer,
    head: ClassifierHead,
    examples: Sequence[Labelled],
    context: int,
) -> tuple[Tensor, Tensor]:
    texts = [encode_text(tokenizer, one.text, one.text2, context)[0] for one in examples]
    numbers = [head.labels.index(example.label) for example in examples]
    return label_logits(decoder, head, texts), torch.tensor(numbers)


if __name__ == "__main__":
    import sys
    from pathlib import Path

    from hanlin.models import load_release
    from hanlin.models.head_folder import choose_head, read_head
    from hanlin.tokenizers import load_tokenizer

    place = Path(sys.argv[1])
    model = load_release(place, expansion="")
    nodes = read_head(place, choose_head(place, ""), model.config)
    print(classify_texts(model, load_tokenizer(place), nodes, sys.argv[2:]))
