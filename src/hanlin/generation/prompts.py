"""What any engine asks of tokens before it reads them, and where a text begins; without torch.

python -m hanlin.generation.prompts
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from hanlin.config import ModelConfig, SamplingConfig
from hanlin.errors import TokenizerError, UserError
from hanlin.generation.draft import Draft
from hanlin.generation.stream import TextStream

if TYPE_CHECKING:
    from hanlin.tokenizers import Tokenizer

__all__ = ["Prompt", "begin_draft", "check_scorable", "check_tokenizer", "end_tokens"]

Prompt = str | Sequence[int]


def check_tokenizer(tokenizer: Tokenizer, config: ModelConfig) -> None:
    """Check that a model has a row for each token.

    Raises:
        TokenizerError: if the tokenizer has more entries than the model has rows.
    """
    if tokenizer.vocab_size > config.vocab_size:
        raise TokenizerError(
            f"The tokenizer has {tokenizer.vocab_size} entries, but the model has "
            f"{config.vocab_size} rows. Take the tokenizer that the model was trained with."
        )


def end_tokens(tokenizer: Tokenizer) -> frozenset[int]:
    """Return the tokens at which a text ends: `<|endoftext|>`, and `<|im_end|>` if there is one."""
    return frozenset({tokenizer.eot_id, tokenizer.control.get("<|im_end|>", tokenizer.eot_id)})


def begin_draft(
    prompt: Prompt, sampling: SamplingConfig, tokenizer: Tokenizer, config: ModelConfig
) -> Draft:
    """Return an empty draft after a text or token ids; an empty prompt begins a new document.

    Raises:
        UserError: if an id is not in the vocabulary, or the prompt leaves no room in the context.
    """
    ids = tokenizer.encode(prompt) if isinstance(prompt, str) else list(prompt)
    ids = ids or [tokenizer.eot_id]
    _check_ids(ids, config)
    context = config.context_length
    if len(ids) >= context:
        raise UserError(
            f"The prompt has {len(ids)} tokens and leaves no room in the model's context of "
            f"{context}. Shorten it to at most {context - 1} tokens."
        )
    limit = min(sampling.max_tokens, context - len(ids))
    return Draft(ids, limit, TextStream(sampling.stop))


def check_scorable(ids: Sequence[int], config: ModelConfig) -> None:
    """Check that tokens can be scored in one pass.

    Raises:
        UserError: if they do not fit the model's context or its vocabulary.
    """
    _check_ids(ids, config)
    context = config.context_length
    if len(ids) > context + 1:
        raise UserError(
            f"{len(ids)} tokens cannot be scored at once: the model's context is {context}. "
            f"Give at most {context + 1} tokens at a time."
        )


def _check_ids(ids: Sequence[int], config: ModelConfig) -> None:
    rows = config.vocab_size
    wrong = next((token for token in ids if not 0 <= token < rows), None)
    if wrong is not None:
        raise UserError(
            f"Token id {wrong} is not in the model's vocabulary of {rows}. "
            "Encode the text with the model's own tokenizer."
        )


if __name__ == "__main__":
    check_scorable([0, 1, 2], ModelConfig(vocab_size=3, context_length=8))
    print("three tokens can be scored")
