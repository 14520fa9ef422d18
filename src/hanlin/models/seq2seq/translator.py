"""An encoder and a decoder with their vocabularies: sequences in, sequences out.

    translator = Translator(model.encoder, model.decoder, source, target)
    text, (h, c) = translator.decode_sequence(input_sequence)     # an LSTM's state
    texts = translator.translate(["小猫来了。"], beam=4, length_penalty=0.6)
    translator.save(folder)
    translator = Translator.load(folder / "encoder", folder / "decoder")

Sequences are ids as `texts_to_sequences` gives them, with or without padding (id 0) on any side.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from hanlin.config import Seq2SeqConfig
from hanlin.errors import DataError, ModelError
from hanlin.models.seq2seq.base import PADDING_ID, Memory, Seq2SeqDecoder, Seq2SeqEncoder
from hanlin.models.seq2seq.folder import Half, load_decoder, load_encoder, pair_of, save_half
from hanlin.models.seq2seq.search import Hypothesis, beam_search, greedy_search, reread
from hanlin.models.seq2seq.vocabulary import Vocabulary

__all__ = ["Ids", "Translator"]

Ids = Sequence[int] | NDArray[Any] | Tensor
"""One sequence of ids; an array of the shape (1, S) is one too."""


class Translator:
    """Decodes sequences with a trained model."""

    def __init__(
        self,
        encoder: Seq2SeqEncoder,
        decoder: Seq2SeqDecoder[Any],
        source: Vocabulary,
        target: Vocabulary,
    ) -> None:
        """Join the halves of a model and the vocabularies of its sides.

        Raises:
            ModelError: they do not belong together.
        """
        _check(encoder.config, decoder.config, source, target)
        self.encoder, self.decoder = encoder.eval(), decoder.eval()
        self.source, self.target = source, target

    def decode_sequence(
        self,
        input_sequence: Ids,
        *,
        beam: int = 1,
        length_penalty: float = 0.0,
        max_tokens: int = 0,
    ) -> tuple[str, Any]:
        """Return the text for one input, and the state of the decoder when it was complete.

        The decoder reads `<start>`, then each word that it wrote, until it writes `<end>`. The
        state is what its next step would need: `(h, c)` of an LSTM, the cache of a Transformer.

        Args:
            input_sequence: ids of the source; padding is passed over.
            beam: beginnings that are kept; 1 is greedy.
            length_penalty: alpha of the beam; larger values favour longer sequences.
            max_tokens: the most words, `<end>` included; 0 takes the model's context_length.
        """
        memory = self._read([input_sequence])
        found = self._search(memory, beam, length_penalty, max_tokens)[0]
        state = found.state if beam == 1 else reread(self.decoder, memory, found)
        return self.target.decode(found.ids), state

    def decode_batch(
        self,
        input_sequences: Sequence[Ids],
        *,
        beam: int = 1,
        length_penalty: float = 0.0,
        max_tokens: int = 0,
        batch_size: int = 64,
    ) -> list[Hypothesis[Any]]:
        """Return what is found for each input, `batch_size` of them at once, without states."""
        order = sorted(range(len(input_sequences)), key=lambda i: len(input_sequences[i]))
        found: dict[int, Hypothesis[Any]] = {}
        for start in range(0, len(order), batch_size):
            places = order[start : start + batch_size]
            memory = self._read([input_sequences[place] for place in places])
            batch = self._search(memory, beam, length_penalty, max_tokens)
            # The states of thousands of sequences would fill the memory.
            found |= {p: replace(each, state=None) for p, each in zip(places, batch, strict=True)}
        return [found[place] for place in range(len(order))]

    def translate(self, texts: Sequence[str], **options: Any) -> list[str]:
        """Return the text for each text; `options` are those of `decode_batch`."""
        found = self.decode_batch([self.source.encode(text) for text in texts], **options)
        return [self.target.decode(each.ids) for each in found]

    def save(self, folder: Path) -> None:
        """Write the folders `encoder` and `decoder` below `folder`."""
        pair = pair_of(self.encoder, self.decoder)
        save_half(Path(folder) / "encoder", Half(self.encoder, self.source, pair))
        save_half(Path(folder) / "decoder", Half(self.decoder, self.target, pair))

    @classmethod
    def load(
        cls, encoder: Path, decoder: Path, *, device: torch.device | str = "cpu"
    ) -> Translator:
        """Read a model from the folders of its two halves.

        Raises:
            ModelError: a folder cannot be used, or the two belong to different trainings.
            TokenizerError: a tokenizer cannot be read.
        """
        first, second = load_encoder(encoder, device=device), load_decoder(decoder, device=device)
        if first.pair != second.pair:
            raise ModelError(
                f"The encoder in {encoder} and the decoder in {decoder} were not trained together: "
                "neither understands the other's states. Give two folders of one `save`."
            )
        return cls(first.module, second.module, first.vocabulary, second.vocabulary)

    def _read(self, sequences: Sequence[Ids]) -> Memory:
        device = self.encoder.embedding.weight.device
        words = [torch.tensor(self._words(sequence)) for sequence in sequences]
        source = pad_sequence(words, batch_first=True, padding_value=PADDING_ID)
        with torch.no_grad():
            return self.encoder(source.to(device))  # type: ignore[no-any-return]

    def _words(self, sequence: Ids) -> list[int]:
        ids = np.asarray(sequence)
        if ids.ndim > 2 or (ids.ndim == 2 and ids.shape[0] != 1):
            raise DataError(
                f"The input sequence has the shape {ids.shape}: that is several sequences. Give "
                "one at a time, or call `decode_batch`."
            )
        words: list[int] = ids[ids != PADDING_ID].astype(np.int64).tolist()
        if not words:
            raise DataError(
                "The input sequence is empty: the source's tokenizer knows no word of it. Was the "
                "text split as it was for `fit_on_texts`? An `oov_token` keeps unknown words."
            )
        size = self.encoder.config.source_vocab_size
        if min(words) < 0 or max(words) >= size:
            raise DataError(
                f"The input sequence holds ids from {min(words)} to {max(words)}, but the source's "
                f"vocabulary ends at {size - 1}. Encode it with the source's own tokenizer."
            )
        return words

    def _search(
        self, memory: Memory, beam: int, length_penalty: float, max_tokens: int
    ) -> list[Hypothesis[Any]]:
        if beam < 1:
            raise ModelError(f"beam is {beam}; keep at least one beginning (1 is greedy).")
        limit = self.decoder.config.context_length
        limit = min(max_tokens, limit) if max_tokens else limit
        if beam == 1:
            return greedy_search(self.decoder, memory, max_tokens=limit)
        return beam_search(
            self.decoder, memory, beam=beam, length_penalty=length_penalty, max_tokens=limit
        )


def _check(
    encoder: Seq2SeqConfig, decoder: Seq2SeqConfig, source: Vocabulary, target: Vocabulary
) -> None:
    if encoder != decoder:
        raise ModelError(
            "The encoder and the decoder have different shapes, so that they were not trained "
            "together. Give the two halves of one model."
        )
    asked = (decoder.source_vocab_size, decoder.target_vocab_size, decoder.start_id, decoder.end_id)
    given = (source.size, target.size, target.start_id, target.end_id)
    if asked != given:
        raise ModelError(
            f"The model asks for vocabularies of {asked[0]} and {asked[1]} entries with the "
            f"markers {asked[2:]}, but the tokenizers have {given[0]} and {given[1]} with "
            f"{given[2:]}. Give the tokenizers that the model was trained with."
        )
