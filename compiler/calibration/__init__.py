"""Quantisation after training: integers that stay close to a trained network on samples, without training anything.

`calibrate` goes through a network layer by layer. Each layer gets quantiser steps and rounded weights by what its
synapses see on calibration samples (`snnc.compiler.calibration.weights`), then a bias and thresholds that make up for
what rounding and the layers before have changed, then as few fraction bits as do (`snnc.compiler.calibration.layers`).
What comes out is a network in floats whose weights lie on their integers' grid: the pass `quantise` makes the integers,
by section 4 of ``docs/semantics.md`` as of any student, so that there is one rule from floats to integers and not two.

Layers are not equalised against each other as those of artificial networks are: a spike has no size that one layer
could hand on to the next, and within a layer every channel has its own step already. What is exact is in the readout,
whose channels share one step: what a source adds to all classes alike decides nothing, and is taken out.
"""

from snnc.compiler.calibration.calibrate import Calibrated, LayerReport, calibrate
from snnc.compiler.calibration.settings import CalibrationSettings, Rounding, Scales

__all__ = ["Calibrated", "CalibrationSettings", "LayerReport", "Rounding", "Scales", "calibrate"]
