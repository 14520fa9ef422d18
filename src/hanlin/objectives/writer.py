"""The model's own text, written in the midst of training, with what is to be learnt from it.

A share of the rows gives prefixes; the model continues each, by chance and greedily, as the
settings ask. What comes back (`hanlin.objectives.own_text`) is everything that the loss needs
besides the model: the tokens, the credit of each (policy gradient), where n-grams repeat, which
tokens are overused, and what the frozen reference thinks of them.

S prefixes, D continuations of each that are learnt from, the first G of them for the policy
gradient, N new tokens.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from hanlin.config import LanguageConfig
from hanlin.models import Decoder
from hanlin.objectives.base import head_weight
from hanlin.objectives.continuations import (
    Prefixes,
    Written,
    choose_prefixes,
    continue_prefixes,
)
from hanlin.objectives.judge import Judge, Seen
from hanlin.objectives.overuse import Overuse
from hanlin.objectives.own_text import OwnText, Tally
from hanlin.objectives.policy_gradient import leave_one_out, self_critical
from hanlin.objectives.processes import sum_over_processes
from hanlin.objectives.replacement_walk import walk
from hanlin.objectives.token_scores import plain_token_scores
from hanlin.objectives.unlikelihood import repeated_tokens

if TYPE_CHECKING:
    from hanlin.tokenizers import Tokenizer

__all__ = ["Writer"]


class Writer:
    """Writes with the model that learns; its memory is the frequencies, the book and the critic."""

    def __init__(
        self,
        config: LanguageConfig,
        tokenizer: Tokenizer,
        *,
        allowed: Tensor,
        overuse: Overuse,
        judge: Judge,
        reference: Decoder | None,
    ) -> None:
        """Take the settings of the stage and what it measures text by."""
        self.config, self.tokenizer = config, tokenizer
        self.overuse, self.judge = overuse, judge
        self.tally = Tally()
        self._allowed, self._reference = allowed, reference
        judges = bool(config.sequence_unlikelihood or config.overuse)
        self._judges_greedy = judges and config.decoding == "greedy"
        self._judges_drawn = judges and config.decoding == "sampled"
        self._needs_greedy = self._judges_greedy or (
            bool(config.policy) and config.variant == "self_critical"
        )
        self._draws = config.group if config.policy else int(self._judges_drawn)

    def write(self, batch: Tensor, model: Decoder, generator: torch.Generator) -> OwnText | None:
        """Continue some rows of a batch (B, T + 1); None where none is long enough.

        On several processes all come here together, and remember the sum of what each saw.
        """
        config, eot_id = self.config, self.tokenizer.eot_id
        seen = self._nothing()
        text = None
        prefixes = choose_prefixes(
            batch, config.row_share, config.prefix_tokens, config.new_tokens, eot_id, generator
        )
        if prefixes is not None:
            text = self._write(prefixes, model, generator, seen)
        else:
            self.judge.idle()
        self._remember(seen)
        return text

    def _write(
        self, prefixes: Prefixes, model: Decoder, generator: torch.Generator, seen: Seen
    ) -> OwnText:
        started = time.perf_counter()
        if self.config.policy and self.config.variant == "walk":
            text = self._walk(prefixes, model, generator, seen)
            self.tally.writing += time.perf_counter() - started
        else:
            written = self._continue(prefixes.ids, model, self._draws, generator, seen)
            self.tally.writing += time.perf_counter() - started
            started = time.perf_counter()
            text = self._judge(prefixes, written, model, generator, seen)
            self.tally.scoring += time.perf_counter() - started
        seen.words = self.overuse.count(text.ids[text.written])
        seen.tokens[1] += text.rows.numel()
        return text

    def _continue(
        self,
        prefixes: Tensor,
        model: Decoder,
        draws: int,
        generator: torch.Generator,
        seen: Seen,
    ) -> Written:
        written = continue_prefixes(
            model,
            prefixes,
            draws=draws,
            greedy=self._needs_greedy,
            new_tokens=self.config.new_tokens,
            vocab_size=self.tokenizer.vocab_size,
            eot_id=self.tokenizer.eot_id,
            generator=generator,
        )
        seen.tokens[0] += prefixes.numel() + int(written.written.sum())
        return written

    def _judge(
        self,
        prefixes: Prefixes,
        written: Written,
        model: Decoder,
        generator: torch.Generator,
        seen: Seen,
    ) -> OwnText:
        """Give continuations their rewards, and choose those that are learnt from."""
        groups = len(prefixes.ids)
        ids = written.ids.view(groups, -1, self.config.new_tokens)
        counted = written.written.view_as(ids)
        rewards = credit = None
        if self.config.policy:
            found = self.judge.rate(prefixes, written, model, generator, seen).view(groups, -1)
            rewards = found[:, : self._draws]
            credit = self._credit(found, counted[:, : self._draws])
        learnt = self._draws + self._judges_greedy
        return self._finish(
            prefixes.ids, ids[:, :learnt], counted[:, :learnt], credit, rewards, seen
        )

    def _walk(
        self, prefixes: Prefixes, model: Decoder, generator: torch.Generator, seen: Seen
    ) -> OwnText:
        targets, counted = prefixes.truth.ids, prefixes.truth.written
        chance = torch.rand(
            targets.shape, generator=generator, device=generator.device, dtype=torch.float64
        )
        found = walk(model, prefixes.ids, targets, counted, chance.to(targets.device))
        length = targets.shape[1]
        seen.tokens[0] += prefixes.ids.numel() + len(targets) * length * (length + 3) // 2
        ids, counted = found.ids[:, None], counted[:, None]
        if self._judges_greedy:
            greedy = self._continue(prefixes.ids, model, 0, generator, seen)
            ids = torch.cat((ids, greedy.ids[:, None]), 1)
            counted = torch.cat((counted, greedy.written[:, None]), 1)
        credit = found.kept[:, None].float()
        return self._finish(prefixes.ids, ids, counted, credit, found.gain[:, None], seen)

    def _finish(
        self,
        prefixes: Tensor,
        ids: Tensor,
        written: Tensor,
        credit: Tensor | None,
        rewards: Tensor | None,
        seen: Seen,
    ) -> OwnText:
        # Greedy continuations stand last; either they are judged or the drawn ones are.
        drawn = ids.shape[1] - self._judges_greedy
        judged = written.clone()
        judged[:, :drawn] &= self._judges_drawn
        allowed = self._allowed.to(ids.device)[ids] * judged
        again = repeated_tokens(ids.flatten(0, 1), written.flatten(0, 1), self.config.ngram)
        beta = self.overuse.weights().to(ids.device)
        reference = None
        if self._reference is not None and drawn:
            reference = self._refer(prefixes, ids[:, :drawn])
            seen.tokens[2] += ids[:, :drawn].numel() + prefixes.numel() * drawn
        return OwnText(
            prefixes=prefixes,
            ids=ids,
            written=written,
            credit=credit,
            rewards=rewards,
            reference=reference,
            repeated=allowed * again.view_as(written),
            overused=allowed * beta[ids],
            judged=int(judged.sum()),
        )

    def _credit(self, rewards: Tensor, written: Tensor) -> Tensor:
        """Return each token's advantage from rewards (S, G, and the greedy one's if written)."""
        drawn = rewards[:, : self._draws]
        if self.config.variant == "self_critical":
            advantages = self_critical(drawn, rewards[:, self._draws])
        else:
            advantages = leave_one_out(drawn)
        return advantages[:, :, None] * written

    @torch.no_grad()
    def _refer(self, prefixes: Tensor, ids: Tensor) -> Tensor:
        """Return the reference's log p of ids (S, G, N)."""
        assert self._reference is not None
        reference = self._reference.to(ids.device)
        before = prefixes[:, None].expand(-1, ids.shape[1], -1)
        rows = torch.cat((before, ids), 2).flatten(0, 1)
        hidden = reference.hidden(rows[:, :-1])[:, prefixes.shape[1] - 1 :]
        head = head_weight(reference)[: self.tokenizer.vocab_size]
        scores = [
            plain_token_scores(states, head, wanted)[0]
            for states, wanted in zip(hidden, ids.flatten(0, 1), strict=True)
        ]
        return torch.stack(scores).view_as(ids)

    def _nothing(self) -> Seen:
        """Return what a batch adds to memory, as long as it adds nothing."""
        return Seen(
            torch.zeros_like(self.overuse.written),
            torch.zeros_like(self.judge.book.moments),
            torch.zeros_like(self.tally.tokens),
        )

    def _remember(self, seen: Seen) -> None:
        kinds = (seen.words, seen.moments, seen.tokens)
        flat = sum_over_processes(torch.cat([one.flatten() for one in kinds]))
        words, moments, tokens = torch.split(flat, [one.numel() for one in kinds])
        self.overuse.add(words)
        self.judge.book.moments += moments.view_as(seen.moments)
        self.tally.tokens += tokens
