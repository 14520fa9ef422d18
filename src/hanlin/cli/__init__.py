"""The command line: one file a verb, each imported only when it is called.

hanlin --help
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Sequence

from hanlin import __version__
from hanlin.cli._outside import check_text
from hanlin.errors import HanlinError

__all__ = ["VERBS", "main"]

VERBS: dict[str, dict[str, str]] = {
    "Begin": {
        "demo": "the whole chain on the toy world, offline, in minutes",
        "new": "write a recipe for your own text, sized to this machine",
        "run": "start a recipe's run, or go on with it",
        "prove": "test a stage's claims against controls, on several seeds",
        "plan": "say what a recipe costs before anything runs",
    },
    "Use a model": {
        "generate": "write a text, streamed as it comes",
        "chat": "talk with a model that was taught dialogue",
        "serve": "OpenAI's API and a web page",
        "summarize": "summarise a file, led by keywords",
        "translate": "translate between Chinese and English",
        "classify": "labels with probabilities, by a head that was taught",
        "score": "a sentence's probability token by token, beside the n-gram's",
        "eval": "bits per byte, repetition, novelty; scores on suites",
        "attack": "a classifier's accuracy clean and under attack",
    },
    "Make it smaller, take it elsewhere": {
        "quantize": "weights of 8 or 4 bits, with what that saves and what it changes",
        "prune": "fewer layers or narrower MLPs, for a stage to teach again",
        "export": "one file for llama.cpp (GGUF) or onnxruntime (ONNX)",
    },
    "First steps alone": {
        "data": "build or inspect a corpus",
        "tokenizer": "train a tokenizer, encode, decode",
    },
    "Look and measure": {
        "runs": "list, show and report runs",
        "bench": "measure training, decoding, serving and data preparation",
        "doctor": "what this machine has, and what is missing",
    },
}


def main(arguments: Sequence[str]) -> int:
    """Run one verb and return its exit code (0 done, 1 our fault, 2 the user's, 3 stopped,
    4 a claim failed)."""
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print(_help())
        return 0
    if arguments[0] in ("-V", "--version"):
        print(f"hanlin {__version__}")
        return 0
    verb, rest = arguments[0], list(arguments[1:])
    known = [name for group in VERBS.values() for name in group]
    if verb not in known:
        print(_unknown(verb, known), file=sys.stderr)
        return 2
    return _call(verb, rest)


def _call(verb: str, arguments: list[str]) -> int:
    try:
        for argument in arguments:
            check_text(argument, f"The argument {argument.encode(errors='surrogateescape')!r}")
        code: int = importlib.import_module(f"hanlin.cli.{verb}").main(arguments)
    except HanlinError as error:
        print(f"hanlin {verb}: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print(f"\nhanlin {verb}: stopped", file=sys.stderr)
        return 3
    except BrokenPipeError:
        # The reader of our output has gone (`hanlin ... | head`); that is no error of anyone's.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        print(f"hanlin {verb}: {_explain(error)}", file=sys.stderr)
        return 2
    return code


def _explain(error: OSError) -> str:
    where = f": {error.filename}" if error.filename else ""
    return (
        f"{error.strerror or error}{where}. Nothing half written was left and finished work is "
        "kept; free some space or make the place writable, and give the same command again."
    )


def _unknown(verb: str, known: list[str]) -> str:
    import difflib

    nearest = difflib.get_close_matches(verb, known, n=1)
    hint = f" Did you mean `hanlin {nearest[0]}`?" if nearest else ""
    return f"hanlin: there is no verb `{verb}`.{hint} `hanlin --help` lists all."


def _help() -> str:
    lines = [
        "Hanlin (翰林): raw Chinese and English text in, a GPT of one's own out",
        "",
        "Usage: hanlin VERB [OPTIONS]     hanlin VERB --help explains a verb, with an example",
    ]
    for group, verbs in VERBS.items():
        lines += ["", group]
        lines += [f"  {name:<10} {summary}" for name, summary in verbs.items()]
    lines += ["", "Begin with: hanlin demo"]
    return "\n".join(lines)
