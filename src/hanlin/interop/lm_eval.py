"""A model inside lm-eval, so that its tasks measure what Hanlin trained (needs the extra `eval`).

    python -m hanlin.interop.lm_eval run --model hanlin --model_args pretrained=DIR --tasks piqa

From Python, `register()` makes the name `hanlin` known to `simple_evaluate`. Likelihoods are those
of `hanlin.evaluation.likelihood`, which `hanlin eval --suite` uses as well, so that both give the
same numbers on the same items. `<|endoftext|>` stands before each text; a text longer than the
context is scored in windows that overlap by half.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from hanlin.config import SamplingConfig
from hanlin.errors import require
from hanlin.evaluation import DecoderScorer, score_continuations
from hanlin.generation import Engine
from hanlin.models import load_release
from hanlin.tokenizers import load_tokenizer
from hanlin.training import choose_placement

__all__ = ["Harness", "register"]

_DEFAULT_TOKENS = 256


class Harness:
    """A released folder, or a run's newest release, as lm-eval asks a model."""

    def __init__(
        self,
        pretrained: str | Path,
        *,
        device: str | None = None,
        expansion: str | None = None,
        batch_size: int | str = 16,
        **_: Any,
    ) -> None:
        """Load a model.

        Args:
            pretrained: a released folder or a run.
            device: auto, cpu, cuda or mps.
            expansion: the expansion beside the core, by name; the model's default if left out.
            batch_size: texts that are written at once; likelihoods choose batches by themselves.
            _: what lm-eval passes to every model, such as max_batch_size.
        """
        super().__init__()  # of lm-eval's class, once joined with it
        folder = Path(pretrained)
        if (folder / "model" / "config.json").is_file():
            folder = folder / "model"
        self.tokenizer = load_tokenizer(folder)
        placed = choose_placement(device or "auto").device
        self.engine = Engine(
            load_release(folder, device=placed, expansion=expansion), self.tokenizer
        )
        self.scorer = DecoderScorer(self.engine.model, eot_id=self.tokenizer.eot_id)
        self.batch_size = int(batch_size) if str(batch_size).isdigit() else 16

    def loglikelihood(self, requests: Sequence[Any], **_: Any) -> list[tuple[float, bool]]:
        """Return ln p of each continuation, and whether it is what the model would write."""
        asked = [(str(context), str(rest)) for context, rest in (each.args for each in requests)]
        found = score_continuations(self.scorer, self.tokenizer, asked, greedy=True)
        return [(each.logprob, each.greedy) for each in found]

    def loglikelihood_rolling(self, requests: Sequence[Any], **_: Any) -> list[float]:
        """Return ln p of each whole text."""
        encoded = self.tokenizer.encode_batch([str(each.args[0]) for each in requests])
        return [float(scores.sum()) for scores in self.scorer.score(encoded)]

    def generate_until(self, requests: Sequence[Any], **_: Any) -> list[str]:
        """Return what the model writes after each context, up to a stop string.

        A context that leaves no room loses its beginning.
        """
        written: dict[int, str] = {}
        by_options: dict[SamplingConfig, list[int]] = {}
        for place, each in enumerate(requests):
            by_options.setdefault(_sampling(each.args[1]), []).append(place)
        for options, places in by_options.items():
            for start in range(0, len(places), self.batch_size):
                batch = places[start : start + self.batch_size]
                prompts = [self._prompt(str(requests[place].args[0]), options) for place in batch]
                texts = self.engine.generate_batch(prompts, options)
                written.update(zip(batch, (done.text for done in texts), strict=True))
        return [written[place] for place in range(len(requests))]

    def _prompt(self, context: str, options: SamplingConfig) -> list[int]:
        whole = self.engine.model.config.context_length
        room = whole - min(options.max_tokens, whole // 2)
        ids = np.asarray(self.tokenizer.encode(context)).tolist()
        return [self.tokenizer.eot_id, *ids[-(room - 1) :]]


def _sampling(given: Mapping[str, Any]) -> SamplingConfig:
    """Return lm-eval's options of a generation as ours; it is greedy unless it samples."""
    until = given.get("until") or ()
    sampled = bool(given.get("do_sample", False))
    return SamplingConfig(
        max_tokens=int(given.get("max_gen_toks", _DEFAULT_TOKENS)),
        temperature=float(given.get("temperature", 1.0)) if sampled else 0.0,
        top_p=float(given.get("top_p", 1.0)),
        top_k=int(given.get("top_k", 0)) if sampled else 0,
        stop=(until,) if isinstance(until, str) else tuple(text for text in until if text),
        seed=0,
    )


@cache
def register() -> type[Any]:
    """Make the model known to lm-eval as `hanlin`, and return the class that it will build.

    Raises:
        MissingExtraError: lm-eval is not installed.
    """
    purpose = "Running a model inside lm-eval"
    model = require("lm_eval.api.model", extra="eval", purpose=purpose)
    registry = require("lm_eval.api.registry", extra="eval", purpose=purpose)
    joined = type("HanlinLM", (Harness, model.LM), {})
    return registry.register_model("hanlin")(joined)  # type: ignore[no-any-return]


if __name__ == "__main__":
    register()
    require("lm_eval.__main__", extra="eval", purpose="lm-eval").cli_evaluate()
