"""Make models smaller: weights of few bits, fewer layers, fewer units.

A method is a pure function from a matrix to its packed form (`hanlin.models.packing`); `quantise`
applies one to a decoder, `save_quantised` writes the folder that `load_release` reads.
"""

from hanlin.compression.calibration import calibration_rows
from hanlin.compression.drift import Drift, measure_drift
from hanlin.compression.gptq import Hessian, gptq, layer_error
from hanlin.compression.hqq import half_quadratic
from hanlin.compression.output import check_output, weight_bytes
from hanlin.compression.pruning import block_influence, drop_layers, drop_units, unit_sizes
from hanlin.compression.quantising import quantise
from hanlin.compression.releasing import save_pruned, save_quantised
from hanlin.compression.rounding import round_to_nearest

__all__ = [
    "Drift",
    "Hessian",
    "block_influence",
    "calibration_rows",
    "check_output",
    "drop_layers",
    "drop_units",
    "gptq",
    "half_quadratic",
    "layer_error",
    "measure_drift",
    "quantise",
    "round_to_nearest",
    "save_pruned",
    "save_quantised",
    "unit_sizes",
    "weight_bytes",
]
