"""Teaching assistants: students in between, each of which learns from the one before and teaches the next."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from snnc.compiler.commands.training import Saver, training_progress
from snnc.compiler.errors import CheckpointError, InterruptedRun, OptionError
from snnc.compiler.tools.cache import cache_folder
from snnc.distill.answers import AnswerStore
from snnc.distill.checkpoint import (
    TrainingState,
    check_same,
    load_state,
    read_checkpoint,
    read_teacher,
    training_file,
    write_checkpoint,
)
from snnc.distill.config import TrainingConfig, has_twin, plain
from snnc.distill.data import Dataset
from snnc.distill.train import distil_student

if TYPE_CHECKING:
    import torch

__all__ = ["file_digest", "train_assistants"]


def train_assistants(
    architectures: Sequence[str],
    config: TrainingConfig,
    images: Dataset,
    *,
    teacher: Path | None,
    output: Path,
    device: torch.device,
) -> Path:
    """Train them one after the other, and give the file of the last, the student's teacher.

    Each is a student like the one in the end, but for its architecture, in ``OUTPUT.assistant1.pt`` and so on.  One
    that is there already, trained in this way by this teacher, is not trained again; an interrupted one goes on.

    Parameters
    ----------
    architectures
        From the first, which learns from `teacher`, to the last.
    config
        Of the student in the end.
    teacher
        Who teaches the first; None for what `config` says of one that is trained.

    Raises
    ------
    OptionError
        A file of that name holds another student.
    InterruptedRun
        Ctrl-C; what was finished, and the state of the one under way, are kept.
    """
    for number, architecture in enumerate(architectures, start=1):
        own = output.with_name(f"{output.stem}.assistant{number}.pt")
        teacher = _trained(_settings(config, architecture, teacher), images, teacher, own, device)
    assert teacher is not None
    return teacher


def file_digest(path: Path, option: str) -> str:
    """SHA-256 of a file that an option names."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read ({error.strerror}); check {option}.") from None


def _settings(config: TrainingConfig, architecture: str, teacher: Path | None) -> TrainingConfig:
    twin = config.twin_epochs if has_twin(architecture, leak_shift=config.leak_shift, reset=config.reset) else 0
    taught_by = "" if teacher is None else file_digest(teacher, "--teacher-from")
    return dataclasses.replace(config, architecture=architecture, twin_epochs=twin, teacher_from=taught_by, name="")


def _trained(config: TrainingConfig, images: Dataset, teacher: Path | None, output: Path, device: torch.device) -> Path:
    if output.exists():
        if read_checkpoint(output).get("config") == plain(config):
            click.echo(f"{output} is there already.", err=True)
            return output
        raise OptionError(f"{output} is another student than this assistant; take it away, or choose another -o.")
    saver = Saver(training_file(output))
    state = TrainingState(config=plain(config))
    if saver.path.exists():
        state = load_state(saver.path)
        check_same(saver.path, state, config)
    try:
        with training_progress() as on_epoch:
            checkpoint = distil_student(
                config,
                images,
                state=state,
                save=saver,
                on_epoch=on_epoch,
                teacher=None if teacher is None else read_teacher(teacher, images),
                store=AnswerStore(cache_folder() / "answers"),
                device=device,
            )
    except KeyboardInterrupt:
        raise InterruptedRun("Training was interrupted; the same command goes on where it left off.") from None
    write_checkpoint(output, checkpoint)
    saver.path.unlink(missing_ok=True)
    metrics = checkpoint["metrics"]
    click.echo(f"{output}: {config.architecture}, validation {metrics['integer_validation']:.2%}", err=True)
    return output
