"""A model's classifiers as an attack sees them: by a head, or by labels that are written out.

Both answer many texts in one pass, and say for a text how strongly each character bears on the
loss: the norm of the gradient at the embeddings of its tokens, shared out to their characters.

    victim = HeadVictim(model.decoder, model.tokenizer, model.released_head("sentiment"))
    attack_text(victim, "味道很好", "good", ["sound"], Budget(), random.Random(1))

N texts, T time, C channels, V vocabulary, K labels.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hanlin.attacks import moved, share_out
from hanlin.models.heads import classify_ids, pad_rows
from hanlin.tasks.classify import label_prompt
from hanlin.tasks.classifying import label_logits
from hanlin.tasks.labels import encode_text

if TYPE_CHECKING:
    from hanlin.models import Decoder
    from hanlin.models.head_folder import ReleasedHead
    from hanlin.tokenizers import Tokenizer

__all__ = ["HeadVictim", "LabelVictim"]

_ROWS = 64


class HeadVictim:
    """A classification head."""

    def __init__(self, decoder: Decoder, tokenizer: Tokenizer, released: ReleasedHead) -> None:
        """Take a decoder with one of its heads."""
        self._decoder, self._tokenizer, self._released = decoder, tokenizer, released
        self.labels: Sequence[str] = released.head.labels

    def fits(self, text: str) -> bool:
        """Whether it reads a text whole."""
        return len(self._tokenizer.encode(text)) < self._released.context

    def probabilities(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """Return each label's calibrated probability, (N, K)."""
        ids = [self._encode(text) for text in texts]
        logits = label_logits(self._decoder, self._released.head, ids).double()
        found: NDArray[np.float64] = (logits / self._released.temperature).softmax(-1).numpy()
        return found

    def saliency(self, text: str, label: int) -> NDArray[np.float64]:
        """Return how strongly each character bears on the loss of a label."""
        device = self._decoder.embedding.weight.device
        ids, mask = pad_rows([self._encode(text)], device)
        move = _zero_move(self._decoder, ids)
        with torch.enable_grad(), moved(self._decoder, [move]):
            logits = classify_ids(self._decoder, self._released.head, ids, mask)  # (1, K)
        loss = -logits.float().log_softmax(-1)[0, label]
        return _by_character(self._tokenizer, text, loss, move)

    def _encode(self, text: str) -> list[int]:
        return encode_text(self._tokenizer, text, "", self._released.context)[0]


class LabelVictim:
    """Labels that a decoder writes out after a text: the likeliest of them is its answer."""

    def __init__(self, decoder: Decoder, tokenizer: Tokenizer, labels: Sequence[str]) -> None:
        """Take a decoder that was taught `classify`, and the labels that there are."""
        self._decoder, self._tokenizer, self.labels = decoder, tokenizer, labels
        self._answers = [[*tokenizer.encode(label), tokenizer.eot_id] for label in labels]

    def fits(self, text: str) -> bool:
        """Whether it reads a text whole, and still has room for the longest label."""
        longest = max(map(len, self._answers))
        return len(self._prompt(text)) + longest <= self._decoder.config.context_length

    @torch.inference_mode()
    def probabilities(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """Return each label's probability among the labels, (N, K)."""
        pairs = [
            (prompt, answer)
            for prompt in (self._prompt(text) for text in texts)
            for answer in self._answers
        ]
        order = sorted(range(len(pairs)), key=lambda number: len(pairs[number][0]))
        scores = torch.zeros(len(pairs), dtype=torch.float64)
        for start in range(0, len(order), _ROWS):
            numbers = order[start : start + _ROWS]
            scores[numbers] = self._likelihoods([pairs[n] for n in numbers]).double().cpu()
        found: NDArray[np.float64] = scores.view(len(texts), -1).softmax(-1).numpy()
        return found

    def saliency(self, text: str, label: int) -> NDArray[np.float64]:
        """Return how strongly each character bears on the loss of a label."""
        prompt = self._prompt(text)
        ids = torch.tensor(
            [prompt + self._answers[label]], device=self._decoder.embedding.weight.device
        )
        move = _zero_move(self._decoder, ids[:, :-1])
        with torch.enable_grad(), moved(self._decoder, [move]):
            loss = -self._likelihoods([(prompt, self._answers[label])])[0]
        return _by_character(self._tokenizer, text, loss, move)

    def _likelihoods(self, pairs: Sequence[tuple[list[int], list[int]]]) -> Tensor:
        """Return the log-likelihood of each answer after its prompt, (N,), in nats."""
        device = self._decoder.embedding.weight.device
        ids, mask = pad_rows([prompt + answer for prompt, answer in pairs], device)
        starts = torch.tensor([len(prompt) for prompt, _ in pairs], device=device)
        places = torch.arange(1, ids.shape[1], device=device)
        answered = mask[:, 1:] & (places >= starts[:, None])  # (N, T - 1): targets
        rows, columns = torch.nonzero(answered, as_tuple=True)
        hidden = self._decoder.hidden(ids[:, :-1])[rows, columns]
        log_probs = self._decoder.head(hidden).float().log_softmax(-1)  # (targets, V)
        chosen = log_probs.gather(1, ids[rows, columns + 1][:, None])[:, 0]
        return chosen.new_zeros(len(pairs)).index_add(0, rows, chosen)

    def _prompt(self, text: str) -> list[int]:
        return label_prompt(self._tokenizer, text, "")


def _zero_move(decoder: Decoder, ids: Tensor) -> Tensor:
    width = decoder.config.hidden_size
    return torch.zeros(*ids.shape, width, device=ids.device, requires_grad=True)


def _by_character(
    tokenizer: Tokenizer, text: str, loss: Tensor, move: Tensor
) -> NDArray[np.float64]:
    """Return the gradient's norm at each character; the first token begins the document."""
    (gradient,) = torch.autograd.grad(loss, [move])
    _, spans = tokenizer.encode_with_offsets(text)
    norms = gradient[0].float().norm(dim=-1).tolist()[1 : len(spans) + 1]
    return np.array(share_out(spans[: len(norms)], norms, len(text)))
