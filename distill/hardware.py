"""Whether a student that is not trained yet would fit a chip: the compiler's own plan of it, with random weights."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Final

import torch

from snnc.compiler.design import Options
from snnc.compiler.errors import FitError, OptionError, UnsupportedError
from snnc.compiler.lanes.area import total_cells
from snnc.compiler.pipeline import begin, passes_before, run_passes
from snnc.compiler.targets import TARGETS, Device, load_target
from snnc.distill.checkpoint import student_checkpoint, write_checkpoint
from snnc.distill.config import TrainingConfig
from snnc.distill.data import Dataset
from snnc.distill.students import Phase, Student

__all__ = ["check_fit", "named_device"]


_NOTHING: Final = "--fit: nothing was trained, since the student could not be built."
_REMEDY: Final = "Use fewer --weight-bits or smaller layers in --architecture, or name a larger chip with --fit."


def named_device(name: str) -> Device:
    """A device of any family by its name, such as ``up5k``."""
    families = [load_target(target) for target in TARGETS]
    for family in families:
        if name in family.devices:
            return family.devices[name]
    known = ", ".join(device for family in families for device in family.devices)
    raise OptionError(f"--fit names the unknown device {name[:40]!r}; known are {known}.")


def check_fit(config: TrainingConfig, dataset: Dataset, device: Device) -> str:
    """Plan the student of a configuration for a device, as `snnc compile` would, and say what it takes.

    Memories follow from the shapes and bits of the student alone; the widths of its membranes from its weights as well,
    so that the plan of the trained student may be a bit wider or narrower.

    Raises
    ------
    FitError
        It does not fit; the compiler's sentence says what is short, and ours what a training can do about it.
    UnsupportedError
        The hardware of a layer is not built.
    """
    torch.manual_seed(config.seed)
    student = Student(config.student)
    for phase in (Phase.QUANTISED, Phase.FOLDED):
        student.enter(phase)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "student.pt"
        write_checkpoint(path, student_checkpoint(student, config, dataset))
        try:
            plan = run_passes(begin(path, device, Options()), passes_before("emit")).complete_plan
        except FitError as error:
            raise FitError(f"{_NOTHING} {error.measured}", _REMEDY) from None
        except UnsupportedError as error:
            raise UnsupportedError(f"{_NOTHING} {error.measured}") from None
    return (
        f"{config.architecture} fits {device.name}: {plan.blocks} of {device.block_rams} {device.block_ram_name}, "
        f"about {total_cells(plan):,} of {device.logic_cells:,} {device.logic_name}s."
    )
