"""Cross-entropy of labels by output nodes, beside that of answers and of plain text.

A row holds labelled texts of one head, or what `hanlin.objectives.answers` learns. A labelled text
ends with a token beyond the vocabulary, the number of its output node. Texts are taken out of their
rows and read each by itself, padded behind, together with others of about its length (up to the
same power of two): that is how they are read when the head is used.

With label smoothing e and class weights w, a text of label y adds

    counts * w_y * ((1 - e) * -log p_y - e / K * sum_k log p_k)

to the sum and counts * w_y to the weight (Szegedy et al. 2016, arXiv 1512.00567).

    objective = Labels(answers, vocab_size=512, class_weights=[[1.0, 1.0]], counts=[1.0])

N texts, T time, K labels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from hanlin.data import PADDING, READ
from hanlin.models import Decoder
from hanlin.models.heads import ClassifierHead, classify_ids, pad_rows
from hanlin.objectives.answers import AnswerBatch, Answers
from hanlin.objectives.base import Loss, Movable, Scores, StateDict

__all__ = ["LabelBatch", "Labels", "TextBatch", "label_loss"]


@dataclass(frozen=True, slots=True)
class TextBatch:
    """Texts of one head."""

    head: int
    """Which of the model's heads."""
    ids: Tensor
    """Token ids (N, T), padded behind."""
    mask: Tensor
    """What is no padding, (N, T)."""
    labels: Tensor
    """The number of each text's label, (N,)."""
    rows: Tensor
    """The row of the microbatch that each text is of, (N,)."""


@dataclass(frozen=True, slots=True)
class LabelBatch:
    """A microbatch: labelled texts, and what is learnt token by token."""

    texts: Sequence[TextBatch]
    answers: AnswerBatch | None
    """None where no row holds any."""
    answer_rows: Tensor
    """The rows of the microbatch that hold them."""


class Labels:
    """Cross-entropy of the labels of `model.heads`, and of answers in rows of their own."""

    def __init__(
        self,
        answers: Answers,
        *,
        vocab_size: int,
        class_weights: Sequence[Sequence[float]],
        counts: Sequence[float],
    ) -> None:
        """Take the weights of each head's labels, and the tokens that one of them counts as."""
        self._answers, self._vocab_size, self._counts = answers, vocab_size, counts
        self._class_weights = [torch.tensor(weights) for weights in class_weights]

    def prepare(
        self, batch: Tensor, model: nn.Module, generator: torch.Generator, progress: float = 0.0
    ) -> LabelBatch:
        """Take rows (B, T + 1) apart; nothing is drawn by chance."""
        numbers = batch.long()
        labelled = (READ - numbers >= self._vocab_size).any(1)
        texts = self._texts(numbers, labelled)
        others = numbers[~labelled]
        answers = self._answers.prepare(others, model, generator, progress) if len(others) else None
        return LabelBatch(texts, answers, torch.nonzero(~labelled)[:, 0])

    def loss(self, model: nn.Module, prepared: LabelBatch) -> Loss:
        """Return the sum in nats, its weight, and each head's share of it."""
        assert isinstance(model, Decoder)
        assert model.heads is not None, "attach_heads has been called"
        total = model.embedding.weight.new_zeros((), dtype=torch.float32)
        weight = torch.zeros_like(total)
        parts = {f"label_loss.{n}": torch.zeros_like(total) for n in range(len(model.heads))}
        if prepared.answers is not None:
            answers = self._answers.loss(model, prepared.answers)
            total, weight = answers.sum, weight + answers.weight
        for texts in prepared.texts:
            head = model.heads[texts.head]
            assert isinstance(head, ClassifierHead)
            weights = self._class_weights[texts.head].to(total.device)[texts.labels]  # (N,)
            losses = label_loss(
                self.logits(model, head, texts), texts.labels, head.config.smoothing
            )
            counts = self._counts[texts.head]
            added = counts * (weights * losses).sum()
            total, weight = total + added, weight + counts * weights.sum()
            parts[f"label_loss.{texts.head}"] += added.detach()
        return Loss(total, weight, parts)

    def logits(self, model: Decoder, head: ClassifierHead, texts: TextBatch) -> Tensor:
        """Return the logits (N, K) that the loss is taken of."""
        return classify_ids(model, head, texts.ids, texts.mask)

    def movable(self, prepared: LabelBatch) -> list[Movable]:
        """Return the inputs by passes: all of a labelled text moves, but for how it begins."""
        found = []
        if prepared.answers is not None:
            (one,) = self._answers.movable(prepared.answers)
            found.append(Movable(one.ids, one.groups, prepared.answer_rows))
        for texts in prepared.texts:
            groups = texts.mask.long() - 1
            groups[:, 0] = -1  # <|endoftext|>
            found.append(Movable(texts.ids, groups, texts.rows))
        return found

    def scores(self, model: nn.Module, prepared: LabelBatch) -> list[Scores]:
        """Return what the model says of each answer and of each label."""
        assert isinstance(model, Decoder)
        assert model.heads is not None, "attach_heads has been called"
        found = []
        if prepared.answers is not None:
            (one,) = self._answers.scores(model, prepared.answers)
            found.append(replace(one, rows=prepared.answer_rows[one.rows]))
        for texts in prepared.texts:
            head = model.heads[texts.head]
            assert isinstance(head, ClassifierHead)
            log_probs = self.logits(model, head, texts).float().log_softmax(-1)
            weights = self._class_weights[texts.head].to(log_probs.device)[texts.labels]
            weights = self._counts[texts.head] * weights
            found.append(Scores(log_probs, texts.labels, weights, texts.rows))
        return found

    def state_dict(self) -> StateDict:
        """Return nothing: this objective remembers nothing."""
        return {}

    def load_state_dict(self, state: StateDict) -> None:
        """Take nothing back."""

    def _texts(self, rows: Tensor, labelled: Tensor) -> list[TextBatch]:
        """Return the texts in labelled rows, with others of one head and about their length."""
        sizes = [len(weights) for weights in self._class_weights]
        numbers = torch.nonzero(labelled)[:, 0].tolist()
        groups: dict[tuple[int, int], list[tuple[list[int], int, int]]] = {}
        for row, ids, node in _cut_rows(rows, numbers, self._vocab_size):
            head = 0
            while node >= sizes[head]:
                node -= sizes[head]
                head += 1
            groups.setdefault((head, (len(ids) - 1).bit_length()), []).append((ids, node, row))
        batches = []
        for (head, _), texts in sorted(groups.items()):
            padded, mask = pad_rows([ids for ids, *_ in texts], rows.device)
            nodes = torch.tensor([node for _, node, _ in texts], device=rows.device)
            places = torch.tensor([row for _, _, row in texts], device=rows.device)
            batches.append(TextBatch(head, padded, mask, nodes, places))
        return batches


def label_loss(logits: Tensor, labels: Tensor, smoothing: float) -> Tensor:
    """Return the smoothed cross-entropy (N,) of logits (N, K) in nats."""
    logprobs = logits.float().log_softmax(-1)
    right = logprobs.gather(1, labels[:, None]).squeeze(1)
    return -(1 - smoothing) * right - smoothing * logprobs.mean(-1)


def _cut_rows(
    rows: Tensor, numbers: Sequence[int], vocab_size: int
) -> list[tuple[int, list[int], int]]:
    """Return the texts in some rows: each with its row, and its node among those of all heads."""
    texts: list[tuple[int, list[int], int]] = []
    for place, row in zip(numbers, rows[numbers].tolist(), strict=True):
        ids: list[int] = []
        for number in row:
            if number == PADDING:
                break
            token = READ - number
            if token < vocab_size:
                ids.append(token)
            else:
                texts.append((place, ids, token - vocab_size))
                ids = []
    return texts


if __name__ == "__main__":
    row = torch.tensor([[-2, -102, -103, -514, -2, -104, -515, PADDING]])
    objective = Labels(Answers(eot_id=0), vocab_size=512, class_weights=[[1, 1]], counts=[1])
    print(objective._texts(row, torch.tensor([True])))
