"""Other programs: released folders in the formats that they read."""

from hanlin.interop.gguf import GgufType, write_gguf
from hanlin.interop.onnx import write_onnx

__all__ = ["GgufType", "write_gguf", "write_onnx"]
