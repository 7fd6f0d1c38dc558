"""A student beside its rival, for `snnc evaluate --rival`."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import click

from snnc.compiler.commands.training import Saver, training_progress
from snnc.compiler.errors import InterruptedRun, OptionError
from snnc.compiler.formats.recorded_rival import KEY, rival_entry
from snnc.compiler.formats.student import STUDENT
from snnc.compiler.ir import Encoding, Graph, Pooling, RivalRecord
from snnc.distill.checkpoint import TrainingState, load_state, read_checkpoint, save_state, write_checkpoint
from snnc.distill.config import plain
from snnc.distill.data import Dataset, load
from snnc.distill.rival import RivalAnswers, ask_rival, rival_config, rival_epochs, train_rival
from snnc.distill.train import find_training_device
from snnc.sim.evaluation.activity import Activity
from snnc.sim.models.synapses import fan_out

__all__ = ["beside_rival", "check_student", "record_rival"]

_STATE: Final = "rival.training.pt"


def check_student(student: object, time_steps: int | None) -> Path:
    """The file of a student that can have a rival.

    Raises
    ------
    OptionError
        It is none that training wrote, or is to be run for other steps than it was trained for.
    """
    if not isinstance(student, Path) or student.suffix.lower() != STUDENT.suffix:
        raise OptionError(f"--rival is of a {STUDENT.suffix} file that snnc distill wrote: it says how to train one.")
    if time_steps is not None:
        raise OptionError("--rival is of the steps that the student was trained for: leave --time-steps out.")
    return student


def beside_rival(
    student: Path, graph: Graph, activity: Activity, *, dataset: str, data: Path | None, budget: float, folder: Path
) -> RivalRecord:
    """Train the rival of a student, or take the one in `folder`, and ask it about the samples of `activity`.

    Parameters
    ----------
    graph
        The integer network of the student.
    budget
        Factor of the epochs that the student was trained for.
    folder
        Where the state of the training is kept; an interrupted one goes on.

    Raises
    ------
    OptionError, CheckpointError
        As of `snnc.distill.rival.rival_config`; or `folder` holds another rival.
    InterruptedRun
        Ctrl-C; the state is kept.
    """
    if not 0 < budget <= 1000:
        raise OptionError(f"--rival-budget must be above 0, 1000 at most, not {budget}.")
    images = load(dataset, data)
    config = rival_config(read_checkpoint(student), images)
    saver = Saver(folder / _STATE)
    state = TrainingState(config=plain(config), command={"budget": str(budget)})
    if saver.path.exists():
        before = load_state(saver.path)
        if (before.config, before.command) != (state.config, state.command):
            raise OptionError(
                f"{saver.path} is of a rival that was trained in another way; take it away, or choose another -o."
            )
        state = before
    try:
        with training_progress() as on_epoch:
            rival = train_rival(
                config,
                images,
                budget=budget,
                state=state,
                save=saver,
                on_epoch=on_epoch,
                device=find_training_device("auto"),
            )
    except KeyboardInterrupt:
        if not saver.saved:
            raise
        raise InterruptedRun(f"Interrupted; the same command goes on where {saver.path} left off.") from None
    save_state(saver.path, state)
    answers = ask_rival(rival, images.test.chosen(slice(0, activity.samples)))
    return _compared(graph, activity, answers, images, epochs=rival_epochs(config, budget))


def record_rival(student: Path, output: Path, record: RivalRecord) -> None:
    """Write the student's file once more, with the record."""
    write_checkpoint(output, {**read_checkpoint(student), KEY: rival_entry(record)})
    click.echo(f"Written to {output}, with its rival.")


def _compared(graph: Graph, activity: Activity, answers: RivalAnswers, images: Dataset, *, epochs: int) -> RivalRecord:
    """Both networks' work behind spikes and activations; sums over windows and skip connections are not counted."""
    # In the order of the architecture: older files have other names.
    active_of = dict(zip((population.name for population in graph.populations[:-1]), answers.active, strict=True))
    pixels = graph.input.name if graph.source.encoding is Encoding.DIRECT else None
    macs = active = operations = 0.0
    for projection, done in zip(graph.projections, activity.operations, strict=True):
        if isinstance(projection, Pooling) or projection.source == pixels:
            continue
        source, target = graph.population(projection.source), graph.population(projection.target)
        reached = fan_out(projection, source.shape, target.shape)
        macs += float(reached.sum())
        active += float(active_of[projection.source] @ reached)
        operations += done
    return RivalRecord(
        data=f"{images.name}, test",
        samples=activity.samples,
        time_steps=graph.time_steps,
        epochs=epochs,
        accuracy=answers.accuracy,
        spiking_accuracy=float(activity.accuracy[-1]),
        macs=macs,
        active_macs=active,
        operations=operations,
    )
