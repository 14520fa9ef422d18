"""The native engine: decoding on a CPU at the speed of its memory, without torch.

`docs/concepts/engine.md` explains it. The plain reference is `hanlin.models.Decoder` with
`hanlin.generation.Engine`; the tests compare the two.
"""

from hanlin.generation.native.choosing import why_not_native
from hanlin.generation.native.compiled import default_threads, is_available, load_core
from hanlin.generation.native.engine import NativeEngine
from hanlin.generation.native.model import NativeModel, Weights, load_native, random_native

__all__ = [
    "NativeEngine",
    "NativeModel",
    "Weights",
    "default_threads",
    "is_available",
    "load_core",
    "load_native",
    "random_native",
    "why_not_native",
]
