"""Rules: what changes the logits of one text, given what it has read and written so far.

A rule sees the logits before a token is drawn (`steer`), may put another token in the place of the
drawn one (`amend`), and is told what was written (`take`). `Steering` holds the rules of all rows
of a batch, and the counted penalties beside them, which are one operation for all rows.

B batch, V vocab.

    python -m hanlin.generation.rules
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from hanlin.config import SamplingConfig
from hanlin.generation.constrain import Constraint
from hanlin.generation.draft import Draft
from hanlin.generation.repeats import DontRepeatYourself, NoRepeatedNgram
from hanlin.generation.rule import Rule
from hanlin.generation.sampling import TokenHistory, penalise
from hanlin.generation.vocabulary import Vocabulary
from hanlin.generation.words import BannedTexts, FewestTokens, ForcedTexts, LogitBias

__all__ = ["Steering", "rules_of"]


def rules_of(sampling: SamplingConfig, vocabulary: Vocabulary, draft: Draft) -> list[Rule]:
    """Return the rules of one text, in the order in which they apply.

    Raises:
        UserError: a token, a text, a schema or a grammar cannot be used, or there is no room.
    """
    rules: list[Rule] = []
    if sampling.dry_multiplier:
        rules.append(DontRepeatYourself(sampling, vocabulary, draft.prompt))
    if sampling.logit_bias:
        rules.append(LogitBias(sampling.logit_bias, vocabulary))
    if sampling.no_repeat_ngram:
        rules.append(NoRepeatedNgram(sampling.no_repeat_ngram, vocabulary, draft.prompt))
    if sampling.min_tokens:
        rules.append(FewestTokens(sampling.min_tokens, vocabulary))
    if any(sampling.banned):
        rules.append(BannedTexts(sampling.banned, vocabulary))
    if any(sampling.forced):
        rules.append(ForcedTexts(sampling.forced, vocabulary, draft.limit))
    if sampling.is_constrained:
        rules.append(Constraint(sampling, vocabulary, draft.limit))
    return rules


class Steering:
    """The rules and counted penalties of all rows of a batch."""

    def __init__(
        self, sampling: SamplingConfig, vocabulary: Vocabulary, drafts: Sequence[Draft]
    ) -> None:
        """Make ready for texts that have their prompts and nothing written yet."""
        self._sampling = sampling
        self._prompts = [draft.prompt for draft in drafts]
        self._rules = [rules_of(sampling, vocabulary, draft) for draft in drafts]
        self._history: TokenHistory | None = None

    @staticmethod
    def matters(sampling: SamplingConfig) -> bool:
        """Whether any rule or penalty is set, so that a text needs a history of its own."""
        numbers = (sampling.dry_multiplier, sampling.no_repeat_ngram, sampling.min_tokens)
        texts = (*sampling.logit_bias, *sampling.banned, *sampling.forced)
        return (
            TokenHistory.matters(sampling) or any(numbers) or bool(texts) or sampling.is_constrained
        )

    def steer(self, logits: Tensor) -> Tensor:
        """Return logits (B, V) of the next tokens as the rules want them."""
        if self._history is None and TokenHistory.matters(self._sampling):
            self._history = TokenHistory(self._prompts, logits)
        logits = penalise(logits, self._sampling, self._history)
        if not any(self._rules):
            return logits
        logits = logits.clone()
        for row, rules in enumerate(self._rules):
            for rule in rules:
                rule.steer(logits[row])
        return logits

    def amend(self, ids: Tensor) -> Tensor:
        """Return the tokens (B,) that are written where `ids` were drawn."""
        if not any(self._rules):
            return ids
        amended = ids.tolist()
        for row, rules in enumerate(self._rules):
            for rule in rules:
                amended[row] = rule.amend(amended[row])
        return torch.tensor(amended, device=ids.device)

    def take(self, ids: Tensor) -> None:
        """Note the tokens (B,) that were written."""
        if self._history is not None:
            self._history.add(ids)
        if any(self._rules):
            for rules, token in zip(self._rules, ids.tolist(), strict=True):
                for rule in rules:
                    rule.take(token)

    def keep_rows(self, rows: Tensor) -> None:
        """Keep only the rows whose numbers are given, in that order."""
        numbers = rows.tolist()
        self._prompts = [self._prompts[row] for row in numbers]
        self._rules = [self._rules[row] for row in numbers]
        if self._history is not None:
            self._history.keep_rows(rows)


if __name__ == "__main__":
    from hanlin.generation.stream import TextStream
    from hanlin.tokenizers import train_tokenizer

    letters = Vocabulary(train_tokenizer("char", ["从前有一只小猫。"], 350))
    blank = Draft([letters.token("小")], limit=4, stream=TextStream())
    steering = Steering(SamplingConfig(logit_bias=(("猫", 5.0),)), letters, [blank])
    print(steering.steer(torch.zeros(1, 350))[0, letters.token("猫")])
