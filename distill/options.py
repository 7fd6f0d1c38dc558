"""The options of ``snnc distill``: what a training can be told on the command line.

They stand apart from the command, since a comparison passes them on and checks them (`snnc.distill.compare.options`).
"""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Any, Final

import click

from snnc.compiler.ir.neurons import Encoding, Initial, Reset
from snnc.distill.config import StageTeacher
from snnc.distill.data import DATASETS
from snnc.distill.losses import METHODS
from snnc.distill.neurons import Surrogate
from snnc.distill.objective import Precision
from snnc.distill.optimisers import Optimiser
from snnc.distill.teachers import TeacherKind

__all__ = ["OPTIONS"]


def _option(*names: str, **settings: Any) -> click.Option:
    return click.Option(names, **settings)


def _enumerated(kind: type[Enum]) -> click.Choice[str]:
    return click.Choice([member.value for member in kind])


OPTIONS: Final[tuple[click.Option, ...]] = (
    _option(
        "--dataset", type=click.Choice(list(DATASETS)), help="By default digits, or npz where --data is such a file."
    ),
    _option(
        "--data",
        "root",
        type=click.Path(path_type=Path),
        help="Folder of the data set, else SNNC_DATA; or an .npz file of your own, which says its shape and steps.",
    ),
    _option(
        "--architecture",
        help="Input, layers, classes: 784-32-10 is fully connected, 1x28x28-16c5s2-32c3s2-10 convolutional; a2 and m2 "
        "pool, 32r3 is a residual block, 64R a recurrent layer (docs/distillation.md).",
    ),
    _option("--time-steps", type=int, help="Steps T per sample."),
    _option("--weight-bits", help="Bits of a weight, 1 to 8 (2 is ternary), or by layer: 4,conv1=8."),
    _option("--fraction-bits", type=int, help="Bits of membranes and thresholds below one weight step."),
    _option("--encoding", type=_enumerated(Encoding), help="How pixels reach the network."),
    _option("--input-bits", type=int, help="Bits of a pixel, 1 to 8; hardware time is linear in its set digits."),
    _option("--reset", type=_enumerated(Reset), help="What a spike does to the membrane."),
    _option("--initial", type=_enumerated(Initial), help="Membrane before the first step: 0 or half the threshold."),
    _option("--leak-shift", type=int, help="Neurons keep 1 - 2^-K of their membrane every step; 0 is IF."),
    _option(
        "--readout-leak", type=int, help="Logits keep 1 - 2^-K of what they were every step; 0 sums.  [default: 0]"
    ),
    _option("--surrogate", type=_enumerated(Surrogate), help="Stand-in for the derivative of a spike."),
    _option("--loss", type=click.Choice(list(METHODS)), help="Distillation method; cross-entropy is none."),
    _option("--loss-option", "loss_options", multiple=True, metavar="NAME=VALUE", help="An option of that method."),
    _option("--temperature", type=float, help="Softening of the logits that are compared."),
    _option("--alpha", type=float, help="Weight of the teacher against the labels, 0 to 1.  [default: by budget]"),
    _option("--teacher", type=_enumerated(TeacherKind), help="Kind of ANN teacher."),
    _option("--teacher-learning-rate", type=float),
    _option("--teacher-epochs", type=int, help="0 for no teacher."),
    _option(
        "--teacher-from",
        "teacher_file",
        type=click.Path(path_type=Path, dir_okay=False),
        help="A teacher that was trained before: by --teacher-only, as a student, or anywhere, as an .onnx classifier.",
    ),
    _option("--fit", "chip", metavar="CHIP", help="Refuse a student that would not fit a chip, such as up5k."),
    _option("--teacher-only", is_flag=True, help="Train the teacher alone and write it to OUTPUT."),
    _option(
        "--assistant",
        "assistants",
        multiple=True,
        metavar="ARCHITECTURE",
        help="A student in between, which learns from the teacher and teaches the next; several times, largest first.",
    ),
    _option("--stage-teacher", type=_enumerated(StageTeacher), help="Who teaches a phase: a chain is 'previous'."),
    _option(
        "--start-from",
        "start_file",
        type=click.Path(path_type=Path, dir_okay=False),
        help="A student of the same architecture whose weights to start from: fewer bits, fewer steps, another loss; "
        "or an ANN of it with clipped ReLUs, as .onnx, which is converted.",
    ),
    _option("--twin-epochs", type=int, help="Epochs of the student's artificial twin, where its weights start."),
    _option("--epochs", type=int, help="Epochs of the spiking student, all phases together."),
    _option("--budget", type=float, help="Factor of all epochs of the student and its twin.  [default: 1]"),
    _option("--batch-size", type=int),
    _option("--optimiser", type=_enumerated(Optimiser), help="Of the student."),
    _option("--learning-rate", type=float),
    _option("--weight-decay", type=float),
    _option("--copies", type=int, help="Distorted copies of the training images; 1 is no augmentation."),
    _option("--augment", "augmentation", help="Distortion of those copies, such as shift=1,rotation=5."),
    _option("--teacher-augment", "teacher_augmentation", help="The same of the teacher's images."),
    _option("--images", type=int, help="Train on so many images only, the same share of every class.  [default: all]"),
    _option(
        "--labelled",
        type=float,
        help="Share of the training images whose labels are known, 0 to 1; a method that can learns from the others "
        "what the teacher says of them.  [default: 1]",
    ),
    _option("--label-noise", type=float, help="Share of the training labels that are made wrong.  [default: 0]"),
    _option(
        "--every",
        type=int,
        metavar="STEPS",
        help="Of events: decide after so many steps, again and again, as in a stream; labels may be of steps.  "
        "[default: 1 where labels are of steps, else once, in the end]",
    ),
    _option("--label-delay", type=int, metavar="STEPS", help="A decision is about what was so long ago.  [default: 0]"),
    _option("--skip-steps", type=int, metavar="STEPS", help="No decision counts in the first steps.  [default: 0]"),
    _option(
        "--class-weights",
        metavar="WEIGHTS",
        help="Of the labels' loss: balanced, one number for each class with commas, or a .json file by their names.",
    ),
    _option("--average", type=float, help="Decay per update of the moving average of the weights."),
    _option(
        "--device",
        type=click.Choice(["auto", "cpu", "cuda"]),
        default="auto",
        show_default=True,
        help="Where to train.",
    ),
    _option(
        "--precision",
        type=_enumerated(Precision),
        help="Of convolutions and products until the network counts in integers; auto is bfloat16 on a GPU, float32 on "
        "a processor, of which those with AMX take two thirds of the time in bfloat16.  [default: auto]",
    ),
    _option(
        "--fused",
        is_flag=True,
        default=False,
        help="On a processor, compile what neurons do: updates of convolutional students take two thirds of the time "
        "after the first minute. Needs a C++ compiler; gradients differ in their last bits.",
    ),
    _option("--seed", type=int, help="The same seed gives the same student.  [default: 0]"),
    _option("--threads", type=int, help="Threads of torch; part of what a seed reproduces.  [default: 1]"),
    _option("-o", "--output", type=click.Path(path_type=Path, dir_okay=False), default="student.pt", show_default=True),
    _option("--name", help="Of the network.  [default: data set, or name of your file, and architecture]"),
    _option(
        "--resume", is_flag=True, help="Go on with the interrupted run that was to write OUTPUT; its options are kept."
    ),
)
