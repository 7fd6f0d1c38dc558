"""``snnc distill``: options in, ``student.pt`` out."""

from __future__ import annotations

import dataclasses
from enum import Enum
from pathlib import Path
from typing import Any

import click

from snnc.compiler.commands.assistants import file_digest, train_assistants
from snnc.compiler.commands.training import Saver, training_progress
from snnc.compiler.errors import CheckpointError, InterruptedRun, OptionError
from snnc.compiler.tools.cache import cache_folder
from snnc.distill.answers import AnswerStore
from snnc.distill.augment import Augmentation
from snnc.distill.checkpoint import (
    TrainingState,
    begun_config,
    check_same,
    load_state,
    read_checkpoint,
    read_teacher,
    restore_student,
    training_file,
    write_checkpoint,
    write_teacher,
)
from snnc.distill.class_weights import read_class_weights
from snnc.distill.config import TrainingConfig, defaults_for, has_twin, parse_augmentation, plain
from snnc.distill.conversion import converted_student
from snnc.distill.data import Dataset, chosen, load
from snnc.distill.fused import use_fused
from snnc.distill.hardware import check_fit, named_device
from snnc.distill.losses.interface import parse_options
from snnc.distill.options import OPTIONS
from snnc.distill.resolution import with_half_width
from snnc.distill.standstill import standstill_warnings
from snnc.distill.students import Student
from snnc.distill.train import distil_student, find_training_device, judged_answers, train_teacher

__all__ = ["distill"]


@click.command(params=list(OPTIONS), short_help="Train a teacher and distil an integer student from it.")
def distill(
    dataset: str | None,
    root: Path | None,
    output: Path,
    resume: bool,
    teacher_file: Path | None,
    teacher_only: bool,
    start_file: Path | None,
    assistants: tuple[str, ...],
    chip: str | None,
    device: str,
    fused: bool,
    **options: Any,
) -> None:
    """Train an ANN teacher, distil it into an integrate-and-fire student, and write its integers to OUTPUT.

    Options that are not given take the defaults of the data set, which are stored in OUTPUT with everything else that
    the run depends on.  Without any option this trains 64-32-10 on scikit-learn's digits in about 20 seconds.
    """
    saver = Saver(training_file(output))
    state = load_state(saver.path) if resume else None
    if state is None and saver.path.exists():
        raise OptionError(
            f"{saver.path} holds a run that was interrupted: go on with it by --resume, take it away to start again, "
            "or choose another -o."
        )
    if not output.parent.is_dir():
        raise OptionError(
            f"The folder {output.parent} of the output does not exist; make it, or choose another with -o."
        )
    dataset = chosen(dataset, root)
    if state is None:
        dataset = dataset or "digits"
        images = load(dataset, root)
        defaults = defaults_for(images)
    else:
        defaults = begun_config(saver.path, state)
        dataset = dataset or defaults.dataset
        if dataset != defaults.dataset:
            raise CheckpointError(
                f"{saver.path} was begun with the data set {defaults.dataset}, but now it is {dataset}; go on with "
                "--resume alone."
            )
        root, teacher_file, start_file = (
            path if path is not None or name not in state.command else Path(state.command[name])
            for name, path in (("data", root), ("teacher-from", teacher_file), ("start-from", start_file))
        )
        teacher_only = teacher_only or "teacher-only" in state.command
        images = load(dataset, root)
    config = _configure(defaults, options, started=start_file is not None, begun=resume)
    config = dataclasses.replace(
        config, data=images.digest(), class_weights=read_class_weights(config.class_weights, images.classes)
    )
    where = find_training_device(device)
    use_fused(fused)
    if assistants and state is None:
        if teacher_only or start_file is not None:
            raise OptionError("--assistant trains students in between: leave --teacher-only and --start-from out.")
        teacher_file = train_assistants(assistants, config, images, teacher=teacher_file, output=output, device=where)
    if teacher_file is not None:
        if teacher_only:
            raise OptionError("--teacher-only trains a teacher and --teacher-from brings one; leave one of them out.")
        config = dataclasses.replace(config, teacher_from=file_digest(teacher_file, "--teacher-from"))
    if start_file is not None:
        config = dataclasses.replace(config, start_from=file_digest(start_file, "--start-from"))
    files = {"data": root, "teacher-from": teacher_file, "start-from": start_file}
    command = {name: str(path.absolute()) for name, path in files.items() if path is not None}
    command |= {"teacher-only": "yes"} if teacher_only else {}
    if state is None:
        state = TrainingState(config=plain(config), command=command)
    else:
        check_same(saver.path, state, config)
    if chip is not None:
        click.echo(check_fit(config, images, named_device(chip)), err=True)
    teacher = None if teacher_file is None else read_teacher(teacher_file, images)
    start = None if start_file is None else _start(start_file, config, images)
    try:
        with training_progress() as on_epoch:
            if teacher_only:
                ann = train_teacher(config, images, state=state, save=saver, on_epoch=on_epoch, device=where)
                write_teacher(output, ann, images, accuracy=state.finished["teacher"]["accuracy"])
            else:
                checkpoint = distil_student(
                    config,
                    images,
                    state=state,
                    save=saver,
                    on_epoch=on_epoch,
                    teacher=teacher,
                    start=start,
                    store=AnswerStore(cache_folder() / "answers"),
                    device=where,
                )
                write_checkpoint(output, checkpoint)
    except KeyboardInterrupt:
        remedy = (
            f"its state is in {saver.path}, go on with --resume" if resume or saver.saved else "nothing was saved yet"
        )
        raise InterruptedRun(f"Training was interrupted; {remedy}.") from None
    saver.path.unlink(missing_ok=True)
    if teacher_only:
        accuracy = state.finished["teacher"]["accuracy"]
        click.echo(f"{output}: teacher, validation {with_half_width(accuracy, len(images.validation))}")
    else:
        _summarise(output, checkpoint, images, config)


def _configure(defaults: TrainingConfig, options: dict[str, Any], *, started: bool, begun: bool) -> TrainingConfig:
    """The defaults with what was given on the command line; words become what they stand for.

    The twin of the defaults is left out where weights come from a student, and where there is no such twin. Epochs of a
    run that was `begun` are within its budget already, those of the command line are not.
    """
    changes: dict[str, Any] = {}
    for name, value in options.items():
        if value is None or value == () or name == "budget":
            continue
        default = getattr(defaults, name)
        if isinstance(default, Enum):
            changes[name] = type(default)(value)
        elif isinstance(default, Augmentation):
            changes[name] = parse_augmentation(value)
        elif name == "loss_options":
            changes[name] = parse_options(value)
        else:
            changes[name] = value
    if "loss" in changes and "loss_options" not in changes:
        changes["loss_options"] = {}
    architecture, leak_shift, reset = (
        changes.get(name, getattr(defaults, name)) for name in ("architecture", "leak_shift", "reset")
    )
    if "twin_epochs" not in changes and (started or not has_twin(architecture, leak_shift=leak_shift, reset=reset)):
        changes["twin_epochs"] = 0
    config = dataclasses.replace(defaults, **changes)
    if (budget := options["budget"]) is None:
        return config
    if not 0 < budget <= 1000:
        raise OptionError(f"--budget must be above 0, 1000 at most, not {budget}.")
    within = {name: begun and options[name] is None for name in ("epochs", "twin_epochs")}
    epochs, twin = (config.epochs if within["epochs"] else max(3, round(config.epochs * budget))), config.twin_epochs
    if twin and not within["twin_epochs"]:
        twin = max(1, round(twin * budget))
    return dataclasses.replace(config, epochs=epochs, twin_epochs=twin)


def _start(path: Path, config: TrainingConfig, images: Dataset) -> Student:
    """The student whose weights another one starts from: one of ours, or an ANN that is converted."""
    if path.suffix == ".onnx":
        return converted_student(path, config.student, images)
    return restore_student(read_checkpoint(path))


def _summarise(output: Path, checkpoint: dict[str, Any], dataset: Dataset, config: TrainingConfig) -> None:
    metrics = checkpoint["metrics"]
    validation, test = judged_answers(config, dataset.validation), judged_answers(config, dataset.test)
    lines = [f"{output}: {checkpoint['name']}, T = {checkpoint['time_steps']}"]
    if config.every:
        lines[0] += f", a decision every {config.every} steps"
    for title, name in (("teacher", "teacher"), ("float student", "float"), ("integer network", "integer")):
        if f"{name}_validation" in metrics:
            lines.append(
                f"  {title:<15}  validation {with_half_width(metrics[f'{name}_validation'], validation)}   "
                f"test {with_half_width(metrics[f'{name}_test'], test)}"
            )
    kind = "decisions" if dataset.tracked else "images"
    lines += [
        f"  ± is what other {kind} would change (95 %); one is {100 / validation:.2f} points of validation, "
        f"{100 / test:.2f} of test",
        "  the exported integers equal the trained student, spike for spike, on all validation data",
    ]
    lines += standstill_warnings(metrics, checkpoint["classes"], validation)
    click.echo("\n".join(lines))
