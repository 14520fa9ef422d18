"""Make models smaller: weights of few bits, fewer layers, fewer units.

A method is a pure function from a matrix to its packed form (`hanlin.models.packing`); `quantise`
applies one to a decoder, `save_quantised` writes the folder that `load_release` reads.
"""

from hanlin.compression.calibration import calibration_rows
from hanlin.compression.drift import Drift, measure_drift
from hanlin.compression.gptq import Hessian, gptq, layer_error
from hanlin.compression.hqq import half_quadratic
from hanlin.compression.output import check_output, weight_bytes
from hanlin.compression.quantising import quantise
from hanlin.compression.releasing import save_quantised
from hanlin.compression.rounding import round_to_nearest

__all__ = [
    "Drift",
    "Hessian",
    "calibration_rows",
    "check_output",
    "gptq",
    "half_quadratic",
    "layer_error",
    "measure_drift",
    "quantise",
    "round_to_nearest",
    "save_quantised",
    "weight_bytes",
]
