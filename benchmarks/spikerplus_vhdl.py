"""Has Spiker+ write its VHDL: run by spikerplus.py, in the interpreter that has Spiker+.

    python -P spikerplus_vhdl.py network.npz FOLDER

``-P`` because of the script's name: ``import spikerplus`` must find the package.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import torch
from spikerplus import NetBuilder, VhdlGenerator


def generate(archive: Path, folder: Path) -> None:
    """VHDL of the network in `archive`, by Spiker+'s own builder and generator, one file per entity."""
    network = np.load(archive)
    weights = [network[f"weights{layer}"] for layer in range(len(network["thresholds"]))]
    bits = int(network["neuron_bits"])
    description = {"n_cycles": int(network["time_steps"]), "n_inputs": weights[0].shape[1]}
    for layer, (matrix, threshold) in enumerate(zip(weights, network["thresholds"], strict=True)):
        description[f"layer_{layer}"] = {
            # Its "if" is a neuron that forgets everything in every step (beta 0). The leak of a "lif" is a shift; by
            # the whole width it takes one unit a step, off negative membranes alone, and no gates.
            "neuron_model": "lif",
            "beta": 1 - 2.0**-bits,
            "learn_beta": False,
            "n_neurons": len(matrix),
            "threshold": float(threshold),
            "learn_threshold": False,
            "reset_mechanism": "subtract",
        }
    built = NetBuilder(description).build()
    for layer, matrix in enumerate(weights, start=1):
        built.layers[f"fc{layer}"].weight.data = torch.tensor(matrix, dtype=torch.float32)
    widths = {"neurons_bw": bits, "weights_bw": int(network["weight_bits"]), "fp_dec": 0}
    # functional: weights are in the VHDL, and not in a memory generator of one manufacturer.
    VhdlGenerator(built, widths).generate(functional=True).write_file_all(output_dir=str(folder), rm=True)


if __name__ == "__main__":
    generate(Path(sys.argv[1]), Path(sys.argv[2]))
