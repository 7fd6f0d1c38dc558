"""Files: the student that is exported (``docs/checkpoint.md``) and the state of a run that can be resumed.

Both are written beside their place and then renamed, so that an interruption, a full disk or a crash never leaves half
a file where a good one was.
"""

from __future__ import annotations

import dataclasses
import io
import os
import pickle
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, assert_never

import numpy as np
import torch
from torch import Tensor

from snnc.compiler.contract import SEMANTICS_VERSION
from snnc.compiler.errors import CheckpointError, OptionError, TrainingError
from snnc.compiler.formats.fields import Fields
from snnc.compiler.formats.recorded_activity import activity_entry
from snnc.compiler.formats.student import NEURON_VERSION, READOUT_VERSION, VERSION, check_contract
from snnc.compiler.formats.student_v1 import upgrade
from snnc.compiler.ir import ActivityRecord
from snnc.compiler.ir.architecture import (
    Architecture,
    ProjectionKind,
    ProjectionSpec,
    Role,
    Shape,
    parse_architecture,
)
from snnc.compiler.ir.neurons import Encoding, Initial, Reset
from snnc.compiler.ir.spreading import gather_weight, spread, spread_weight
from snnc.distill.config import TrainingConfig, plain, restored
from snnc.distill.data import Dataset
from snnc.distill.neurons import NeuronSettings, Surrogate
from snnc.distill.objective import spiking_teacher
from snnc.distill.students import Phase, PopulationLayer, Student, StudentConfig
from snnc.distill.teachers import SpikingTeacher, Teacher, TeacherKind, build_teacher
from snnc.distill.teachers.onnx import read_onnx_teacher

__all__ = [
    "TrainingState",
    "activity_tensors",
    "begun_config",
    "check_same",
    "load_state",
    "read_checkpoint",
    "read_teacher",
    "restore_student",
    "save_state",
    "student_checkpoint",
    "training_file",
    "write_checkpoint",
    "write_teacher",
]

_FORMAT = "snnc-student"
_VERSION = 3
_WITHOUT_CONTRACT = 2
"""The version that is the same but for the field ``contract``."""
_STATE_FORMAT = "snnc-training"
_STATE_VERSION = 2
_ANEW = "take that file away to start again"
_TEACHER_FORMAT = "snnc-teacher"


def student_checkpoint(student: Student, config: TrainingConfig, dataset: Dataset) -> dict[str, Any]:
    """The contents of ``student.pt``: plain tensors and plain values.

    Weights are stored as ``d * w_int``, so that whoever divides by the step gets the integers back without a tie.
    """
    settings = student.config
    flat = settings.architecture.shape[1:] == (1, 1)
    return {
        "format": _FORMAT,
        "version": _VERSION if settings.readout_leak is None else READOUT_VERSION,
        "contract": SEMANTICS_VERSION,
        "name": config.name or f"{_file_name(dataset) or config.dataset}-{config.architecture}",
        "input": {
            "encoding": settings.encoding.value,
            "shape": list(dataset.shape if flat else settings.architecture.shape),
            "bits": 1 if settings.encoding is Encoding.EVENTS else settings.input_bits,
        },
        "time_steps": settings.time_steps,
        "layers": [_layer_entry(layer, settings) for layer in student.populations.values()],
        "state": {
            f"{name}.{key}": value
            for name, layer in student.populations.items()
            for key, value in _layer_state(layer, settings.architecture).items()
        },
        "classes": list(dataset.classes),
        "config": plain(config),
        "metrics": {},
    }


def _file_name(dataset: Dataset) -> str:
    """Of a file of one's own, in what a name may be made of; empty where the data have a name."""
    return re.sub(r"[^A-Za-z0-9_.+-]+", "-", dataset.title[:60]).strip("-") if dataset.name == "npz" else ""


def _layer_entry(layer: PopulationLayer, settings: StudentConfig) -> dict[str, Any]:
    neuron: dict[str, Any]
    match layer.spec.role:
        case Role.SPIKING:
            neuron = {
                "kind": "if",
                "reset": settings.neuron.reset.value,
                "initial": settings.neuron.initial.value,
                "leak_shift": settings.neuron.leak_shift,
            }
        case Role.MAX:
            neuron = {"kind": "if", "reset": "hard", "initial": "zero", "leak_shift": None}
        case Role.READOUT:
            leak = settings.readout_leak
            neuron = {"kind": "readout"} if leak is None else {"kind": "readout", "leak_shift": leak}
        case _:
            assert_never(layer.spec.role)
    return {
        "name": layer.spec.name,
        "shape": list(layer.spec.shape),
        "fraction_bits": layer.fraction_bits,
        "neuron": neuron,
        "projections": [_projection_entry(spread(projection), layer.bits) for projection in layer.spec.projections],
    }


def _projection_entry(projection: ProjectionSpec, bits: int) -> dict[str, Any]:
    ends: dict[str, Any] = {"kind": projection.kind.value, "source": projection.source, "delay": projection.delay}
    window = {"kernel": list(projection.kernel), "stride": list(projection.stride)}
    match projection.kind:
        case ProjectionKind.DENSE:
            return ends | {"weight_bits": bits, "pool": projection.pool[0]}
        case ProjectionKind.CONVOLUTION:
            return (
                ends
                | window
                | {
                    "weight_bits": bits,
                    "padding": list(projection.padding),
                    "dilation": [1, 1],
                    "groups": projection.groups,
                    "pool": projection.pool[0],
                }
            )
        case ProjectionKind.POOLING:
            return ends | window
        case _:
            assert_never(projection.kind)


def _layer_state(layer: PopulationLayer, architecture: Architecture) -> dict[str, Tensor]:
    with torch.no_grad():
        folded = layer.fold()
        state: dict[str, Tensor] = {}
        weights, constants = iter(folded.weights), iter(layer.constants)
        for index, projection in enumerate(layer.spec.projections):
            if projection.kind is ProjectionKind.POOLING:
                state[f"{index}.weight"] = next(constants)
                continue
            w_int = next(weights)
            per_output = [-1] + [1] * (w_int.dim() - 1)
            if layer.norm is not None:  # the fold has negated the channels of negative gain; the checkpoint has not
                w_int = torch.where((layer.norm.weight < 0).view(per_output), -w_int, w_int)
            w_int = _converted(spread_weight, projection, w_int, architecture)
            state[f"{index}.weight"] = w_int * layer.step.view(per_output)
        if folded.weights:
            state["step"] = layer.step
        if layer.bias is not None:
            state["bias"] = layer.bias
        if layer.norm is not None:
            assert layer.norm.running_mean is not None
            assert layer.norm.running_var is not None
            state["norm.gain"] = layer.norm.weight
            state["norm.offset"] = layer.norm.bias
            state["norm.mean"] = layer.norm.running_mean
            state["norm.variance"] = layer.norm.running_var
            state["norm.epsilon"] = torch.tensor([layer.norm.eps], dtype=torch.float64)
        if layer.threshold is not None:
            state["threshold"] = layer.threshold
        # A float32 epsilon would not be the number that the student added.
        return {
            key: value.detach().cpu().to(torch.float64 if key == "norm.epsilon" else torch.float32).contiguous().clone()
            for key, value in state.items()
        }


def _converted(
    convert: Callable[[ProjectionSpec, np.ndarray, Shape], np.ndarray],
    projection: ProjectionSpec,
    weight: Tensor,
    architecture: Architecture,
) -> Tensor:
    """Weights to or from those that have a window of `projection` spread into them."""
    if projection.square:
        return weight
    return torch.from_numpy(convert(projection, weight.numpy(force=True), architecture.shape_of(projection.source)))


def activity_tensors(record: ActivityRecord) -> dict[str, Any]:
    """The checkpoint's ``activity``: plain values and tensors."""
    entry = activity_entry(record)
    sources: dict[str, Any] = {
        key: {name: torch.from_numpy(values) for name, values in entry.pop(key).items()}
        for key in ("events", "typical")
        if key in entry
    }
    images = {key: torch.from_numpy(entry.pop(key)) for key in tuple(entry) if key in ("pixels", "digits")}
    return {**entry, **sources, **images}


def write_checkpoint(path: Path, checkpoint: Mapping[str, Any]) -> None:
    """Write ``student.pt``; the same contents give the same bytes."""
    _write(path, dict(checkpoint))


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Read a student that `write_checkpoint` wrote; nothing in the file is executed."""
    contents = _read(path, "student")
    if contents.get("format") == _FORMAT and contents.get("version") == 1:
        contents = upgrade(Fields(contents, "the checkpoint"))
    if contents.get("format") != _FORMAT or contents.get("version") not in range(_WITHOUT_CONTRACT, VERSION + 1):
        raise CheckpointError(
            f"{path} is no {_FORMAT} file of version {_WITHOUT_CONTRACT} to {VERSION}, but "
            f"{contents.get('format')!r} of version {contents.get('version')!r}; train it again with this version of "
            "snnc distill."
        )
    check_contract(Fields(contents, "the checkpoint"))
    return contents


def write_teacher(path: Path, teacher: Teacher, dataset: Dataset, *, accuracy: float) -> None:
    """Write an ANN teacher for `read_teacher`."""
    contents = {
        "format": _TEACHER_FORMAT,
        "version": 1,
        "kind": teacher.kind,
        "shape": list(dataset.shape),
        "classes": list(dataset.classes),
        "validation": accuracy,
        "weights": teacher.state_dict(),
    }
    _write(path, contents)


def read_teacher(path: Path, dataset: Dataset) -> Teacher | SpikingTeacher:
    """A teacher for a data set: an ANN that `write_teacher` wrote, one in an ``.onnx`` file, or a student.

    Raises
    ------
    CheckpointError
        The file is neither, or for images or classes of another number.
    """
    if path.suffix == ".onnx":
        return read_onnx_teacher(path, dataset)
    contents = _read(path, "teacher")
    spiking = contents.get("format") == _FORMAT
    if not spiking and contents.get("format") != _TEACHER_FORMAT:
        raise CheckpointError(
            f"{path} is no teacher but {str(contents.get('format'))[:40]!r}; give a file that snnc distill wrote, with "
            "or without --teacher-only."
        )
    try:
        shape = tuple(contents["input"]["shape"] if spiking else contents["shape"])
        classes = len(contents["classes"])
    except (KeyError, TypeError):
        raise CheckpointError(f"{path} does not say what images it is for; write it again.") from None
    if shape != dataset.shape or classes != len(dataset.classes):
        raise CheckpointError(
            f"The teacher {path} is for images {'x'.join(map(str, shape))} of {classes} classes, but {dataset.name} "
            f"has {'x'.join(map(str, dataset.shape))} and {len(dataset.classes)}; choose another."
        )
    if spiking:
        return spiking_teacher(restore_student(read_checkpoint(path)))
    try:
        teacher = build_teacher(TeacherKind(contents["kind"]), dataset.shape, classes)
        teacher.load_state_dict(contents["weights"])
    except (KeyError, ValueError, RuntimeError, TypeError) as error:
        raise CheckpointError(
            f"{path} cannot be read as a teacher ({str(error).splitlines()[0][:120]}); train it again."
        ) from None
    return teacher.eval().requires_grad_(False)


def restore_student(contents: Mapping[str, Any]) -> Student:
    """The folded student of a checkpoint, as it left training.

    Raises
    ------
    CheckpointError
        Its neurons are none that `snnc distill` trains.
    """
    if _trained_elsewhere(contents):
        raise CheckpointError(
            f"The student '{str(contents.get('name'))[:60]}' has neurons that were trained elsewhere (version "
            f"{contents['version']}); snnc distill neither trains them further nor learns from them. Compile it, or "
            "quantise it with snnc quantise."
        )
    layers, state = contents["layers"], contents["state"]
    neuron = layers[0]["neuron"]
    architecture = parse_architecture(contents["config"]["architecture"])
    bits = {
        spec.name: next((p["weight_bits"] for p in layer["projections"] if "weight_bits" in p), 8)
        for spec, layer in zip(architecture.populations, layers, strict=True)
    }
    student = Student(
        StudentConfig(
            architecture=architecture,
            time_steps=contents["time_steps"],
            encoding=Encoding(contents["input"]["encoding"]),
            input_bits=contents["input"]["bits"],
            weight_bits=bits,
            fraction_bits=layers[0]["fraction_bits"],
            neuron=NeuronSettings(
                reset=Reset(neuron.get("reset", "soft")),
                initial=Initial(neuron.get("initial", "zero")),
                surrogate=Surrogate.ATAN,
                leak_shift=neuron.get("leak_shift"),
            ),
            readout_leak=layers[-1]["neuron"].get("leak_shift"),
        )
    )
    with torch.no_grad():
        for entry, layer in zip(layers, student.populations.values(), strict=True):
            own = f"{entry['name']}."
            tensors = {key.removeprefix(own): value for key, value in state.items() if key.startswith(own)}
            weights, constants = iter(layer.weights), iter(layer.constants)
            for index, projection in enumerate(layer.spec.projections):
                target = next(constants if projection.kind is ProjectionKind.POOLING else weights)
                target.copy_(_converted(gather_weight, projection, tensors[f"{index}.weight"], architecture))
            if len(layer.weights):
                layer.log_step.copy_(tensors["step"].double().log())
            if layer.bias is not None:
                layer.bias.copy_(tensors["bias"])
            if layer.norm is not None:
                layer.norm.weight.copy_(tensors["norm.gain"])
                layer.norm.bias.copy_(tensors["norm.offset"])
                layer.norm.get_buffer("running_mean").copy_(tensors["norm.mean"])
                layer.norm.get_buffer("running_var").copy_(tensors["norm.variance"])
                layer.norm.eps = float(tensors["norm.epsilon"])
    student.phase = Phase.FOLDED
    return student.eval()


def _trained_elsewhere(contents: Mapping[str, Any]) -> bool:
    """Whether its neurons are more than those of `snnc distill`, which writes none of `NEURON_VERSION`."""
    later = any("comparison" in layer["neuron"] for layer in contents["layers"])
    later |= any(str(key).endswith((".floor", ".subtracted")) for key in contents["state"])
    return contents["version"] == NEURON_VERSION or (contents["version"] > NEURON_VERSION and later)


@dataclasses.dataclass(slots=True, kw_only=True)
class TrainingState:
    """Where a run stands, at the end of an epoch.

    Attributes
    ----------
    config
        As `snnc.distill.config.plain` gives it.
    command
        What else the command was told, by option: the files to read.
    stage, epoch
        The stage under way and how many of its epochs are done.
    finished
        The best weights of each finished stage, and their accuracy on validation data.
    model, average, optimiser
        State of the stage under way; empty at its start.
    best
        Weights of the best epoch so far in this stage, and their accuracy.
    """

    config: dict[str, Any]
    command: dict[str, str] = dataclasses.field(default_factory=dict)
    stage: str = ""
    epoch: int = 0
    finished: dict[str, dict[str, Any]] = dataclasses.field(default_factory=dict)
    model: dict[str, Any] = dataclasses.field(default_factory=dict)
    average: dict[str, Any] = dataclasses.field(default_factory=dict)
    optimiser: dict[str, Any] = dataclasses.field(default_factory=dict)
    best: dict[str, Any] = dataclasses.field(default_factory=dict)


def training_file(output: Path) -> Path:
    """Where the state of the run that will write ``output`` is kept until then: ``student.training.pt``."""
    return output.with_name(f"{output.stem}.training{output.suffix or '.pt'}")


def save_state(path: Path, state: TrainingState) -> None:
    _write(path, {"format": _STATE_FORMAT, "version": _STATE_VERSION, **_shallow(state)})


def load_state(path: Path) -> TrainingState:
    """The state of an interrupted run."""
    contents = _read(path, "training run")
    if contents.pop("format", None) != _STATE_FORMAT or contents.pop("version", None) != _STATE_VERSION:
        raise CheckpointError(f"{path} is not the state of a training run of this version; {_ANEW}.")
    names = {field.name for field in dataclasses.fields(TrainingState)}
    if set(contents) != names:
        raise CheckpointError(f"{path} is incomplete, or of another version; {_ANEW}.")
    return TrainingState(**contents)


def begun_config(path: Path, state: TrainingState) -> TrainingConfig:
    """What the run of a state was begun with."""
    try:
        return restored(state.config)
    except (KeyError, TypeError, ValueError, OptionError):
        raise CheckpointError(f"{path} was begun with options that this version does not have; {_ANEW}.") from None


def check_same(path: Path, state: TrainingState, config: TrainingConfig) -> None:
    """Refuse to go on with another configuration than a run was begun with; what differs is named."""
    wanted = plain(config)
    for key in sorted(wanted.keys() | state.config.keys()):
        before, now = state.config.get(key), wanted.get(key)
        if before != now:
            raise CheckpointError(
                f"{path} was begun with {key.replace('_', '-')} = {before}, but now it is {now}; go on with --resume "
                f"alone, or {_ANEW}."
            )


def _shallow(state: TrainingState) -> dict[str, Any]:
    return {field.name: getattr(state, field.name) for field in dataclasses.fields(state)}


def _write(path: Path, contents: dict[str, Any]) -> None:
    buffer = io.BytesIO()  # saved under a path, torch would write the file's name into it
    torch.save(contents, buffer)
    beside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with beside.open("wb") as file:
            file.write(buffer.getbuffer())
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except OSError as error:
        raise TrainingError(
            f"{path} cannot be written ({error.strerror or error}); what was there before is untouched. "
            "Make room or choose another place with -o."
        ) from error
    finally:
        beside.unlink(missing_ok=True)


def _read(path: Path, what: str) -> dict[str, Any]:
    try:
        contents = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise CheckpointError(f"There is no {what} at {path}.") from None
    except (OSError, EOFError, RuntimeError, ValueError, KeyError, pickle.UnpicklingError) as error:
        reason = str(error).strip().splitlines()
        raise CheckpointError(
            f"{path} cannot be read as a {what} ({reason[0][:160] if reason else type(error).__name__}); it is "
            "truncated or foreign."
        ) from error
    if not isinstance(contents, dict):
        raise CheckpointError(f"{path} holds a {type(contents).__name__}, not a {what}.")
    return contents
