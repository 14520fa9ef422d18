"""Whether llama.cpp reads from our GGUF what we read from the release: ids and log-probabilities.

    pip install llama-cpp-python
    python benchmarks/gguf_files.py runs/demo

The release is exported in fp32 and read by llama-cpp-python; texts of Chinese, English, code and an
emoji go through both. Its cache is fp16, so that log-probabilities differ in the third digit.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
import torch

import hanlin
from hanlin.interop import write_gguf

TEXTS = (
    "话说天下大势，分久必合，合久必分。",
    "It was the best of times, it was the worst of times.",
    "黛玉道：“你又来了。” He said, 3.14 isn't 22/7!\n\n第二回  賈雨村",
    "def f(x):\n    return x+1\t😀 café",
)


def main() -> None:
    from llama_cpp import Llama

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path, help="a run, or a released folder")
    model = hanlin.load(parser.parse_args().model, device="cpu")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "model.gguf"
        write_gguf(file, model.decoder, model.tokenizer, kind="f32")
        theirs = Llama(str(file), n_ctx=256, logits_all=True, verbose=False)
        for text in TEXTS:
            ids = model.tokenizer.encode(text)
            same = ids == theirs.tokenize(text.encode(), add_bos=False, special=False)
            row = [model.tokenizer.eot_id, *ids]
            theirs.reset()
            theirs.eval(row)
            with torch.inference_mode():
                ours = model.decoder(torch.tensor([row]))[0].log_softmax(-1)
            found = torch.from_numpy(np.array(theirs.scores[: len(row)])).log_softmax(-1)
            difference = float((ours - found).abs().max())
            agree = bool((ours.argmax(-1) == found.argmax(-1)).all())
            print(
                f"{len(ids)} ids the same: {same}; log-probabilities within {difference:.4f}; "
                f"likeliest tokens the same: {agree}"
            )


if __name__ == "__main__":
    main()
