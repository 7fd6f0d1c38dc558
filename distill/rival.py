"""The honest rival of a student: the quantised artificial network of its architecture, trained as it was.

It has the student's weights' bits, a batch norm, and activations of ``ceil(log2(T + 1))`` bits in the place of ``T``
steps of spikes: uniform levels of a clipped ReLU whose end the batch norm learns (`snnc.compiler.ir.rival` says what is
compared).  It learns from labels alone, from the student's images in the student's distortions and for as many epochs,
its twin's included: the first half with real weights, then with quantised ones.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from snnc.compiler.errors import CheckpointError, OptionError
from snnc.compiler.ir import Encoding, Initial, Reset
from snnc.compiler.ir.rival import rival_bits
from snnc.distill.batches import Copies, Purpose, generator, samples_at_once, shuffled
from snnc.distill.checkpoint import TrainingState
from snnc.distill.class_weights import weigh_classes
from snnc.distill.config import DEFAULTS, TrainingConfig, restored
from snnc.distill.data import Dataset, Split
from snnc.distill.data.regime import labelled_only, restrict
from snnc.distill.fitting import EpochReport, Stage, fit
from snnc.distill.objective import encode_for
from snnc.distill.processor import use_processor
from snnc.distill.students import Phase, Student, StudentOutputs

__all__ = ["RivalAnswers", "ask_rival", "rival_config", "rival_epochs", "train_rival"]

_BATCH: Final = 500

_REAL_SHARE: Final = 0.5
"""Of the epochs: those with real weights."""

_ROUNDING_RATE: Final = 0.5
"""Of the learning rate, once weights are rounded: as for a student."""


def rival_config(checkpoint: Mapping[str, Any], dataset: Dataset) -> TrainingConfig:
    """How the student of a checkpoint was trained, with what its version did not know yet as it is by default.

    Raises
    ------
    CheckpointError
        The file says nothing of it, or what cannot be.
    OptionError
        The student has what an artificial network of one pass has not: delays, recurrence, decisions in a stream; or
        was trained on other data.
    """
    recorded = checkpoint.get("config")
    if not isinstance(recorded, dict) or "architecture" not in recorded:
        raise CheckpointError("The student does not say how it was trained; a rival needs one that snnc distill wrote.")
    defaults = {entry.name: entry.default for entry in dataclasses.fields(TrainingConfig)}
    known = {name: recorded.get(name, default) for name, default in defaults.items()}
    alone = {"loss": "cross-entropy", "loss_options": {}, "teacher_from": "", "start_from": ""}
    try:
        config = restored(known | alone | {"weight_bits": str(known["weight_bits"])})  # once a number
    except (AttributeError, KeyError, TypeError, ValueError, OptionError) as error:
        raise CheckpointError(
            f"The student was trained with options that this version does not have ({str(error)[:120]}); train it "
            "again."
        ) from None
    architecture = config.student.architecture
    if any(p.delay or p is spec.loop for spec in architecture.populations for p in spec.projections):
        raise OptionError(
            f"{architecture.text} has delays or recurrence, and an artificial network of one pass has no time: such a "
            "student has no rival."
        )
    if config.every or dataset.tracked:
        raise OptionError("The student decides in a stream, and an artificial network of one pass does not.")
    if config.dataset != dataset.name and config.dataset in DEFAULTS:
        raise OptionError(f"The student was trained on {config.dataset}, not on {dataset.name}; say --dataset.")
    return config


def train_rival(
    config: TrainingConfig,
    dataset: Dataset,
    *,
    budget: float = 1.0,
    state: TrainingState,
    save: Callable[[TrainingState], None],
    on_epoch: Callable[[EpochReport], None],
    device: torch.device,
) -> Student:
    """The rival of a student that `config` trained, in `Phase.RIVAL`.

    Parameters
    ----------
    budget
        Factor of the student's epochs.
    state
        A new `TrainingState`, or that of an interrupted run to go on with.
    save, on_epoch
        Called after every epoch.
    """
    use_processor(config.threads)
    torch.manual_seed(generator(config.seed, Purpose.WEIGHTS, 1).initial_seed())
    rival = Student(
        dataclasses.replace(
            config.student,
            # A twin has a level for each step, and none.
            time_steps=2 ** rival_bits(config.time_steps) - 1,
            neuron=dataclasses.replace(config.student.neuron, reset=Reset.SOFT, initial=Initial.HALF, leak_shift=None),
            readout_leak=None,
        )
    ).to(device)
    copies = Copies(
        labelled_only(restrict(dataset.train, config.regime, classes=len(dataset.classes), seed=config.seed)),
        config.augmentation,
        count=config.copies,
        seed=config.seed,
        purpose=Purpose.STUDENT_IMAGES,
    )
    epochs = rival_epochs(config, budget)
    real = max(1, round(epochs * _REAL_SHARE))
    weights = weigh_classes(config.class_weights, copies.labels.numpy(), len(dataset.classes))
    class_weights = None if weights is None else weights.to(device)
    done = 0
    for phase, share in ((Phase.TWIN, real), (Phase.RIVAL, epochs - real)):
        name = f"rival, {'real' if phase is Phase.TWIN else 'quantised'}"
        if state.stage != name and name not in state.finished:
            rival.enter(phase)
        rival.phase = phase
        fit(
            rival,
            Stage(
                name=name,
                epochs=share,
                optimiser=config.optimiser,
                learning_rate=config.learning_rate * (1.0 if phase is Phase.TWIN else _ROUNDING_RATE),
                weight_decay=config.weight_decay,
                average=config.average,
            ),
            losses=_losses(rival, copies, config, class_weights, before=done, device=device),
            updates_per_epoch=max(1, len(copies) // config.batch_size),
            validate=lambda model: ask_rival(model, dataset.validation).accuracy,
            state=state,
            save=save,
            on_epoch=on_epoch,
        )
        done += share
    return rival.eval()


def rival_epochs(config: TrainingConfig, budget: float) -> int:
    """As many as the student's, its twin's included, times `budget`; two at least."""
    return max(2, round((config.twin_epochs + config.epochs) * budget))


def _losses(
    rival: Student,
    copies: Copies,
    config: TrainingConfig,
    class_weights: Tensor | None,
    *,
    before: int,
    device: torch.device,
) -> Callable[[int], Iterator[Tensor]]:
    """Cross entropy of every batch of an epoch; `before` is how many epochs came before the first."""

    def losses(epoch: int) -> Iterator[Tensor]:
        turn = before + epoch
        images, labels = copies.images(turn).to(device), copies.labels.to(device)
        events = generator(config.seed, Purpose.EVENTS, turn)
        order = generator(config.seed, Purpose.ORDER, turn)
        for indices in shuffled(len(copies), config.batch_size, order):
            batch = indices.to(device)
            outputs: StudentOutputs = rival(encode_for(rival, images[batch], events))
            yield F.cross_entropy(outputs.step_logits.mean(dim=0), labels[batch], class_weights)

    return losses


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RivalAnswers:
    """What a rival did with samples.

    Attributes
    ----------
    accuracy
        Share of right answers.
    active
        How often each neuron's activation is not 0, ``[neuron]``: of the input, then of every hidden population in the
        order of the architecture.
    """

    accuracy: float
    active: Sequence[npt.NDArray[np.float64]]


@torch.no_grad()
def ask_rival(rival: nn.Module, split: Split) -> RivalAnswers:
    """Ask it about the samples of a split."""
    assert isinstance(rival, Student)
    rival.eval()
    device = next(rival.parameters()).device
    events = torch.Generator().manual_seed(0)
    right, counts = 0, list[Tensor]()
    batch = samples_at_once(split.images, _BATCH)
    for start in range(0, len(split), batch):
        x = encode_for(rival, torch.from_numpy(split.images[start : start + batch]), events).to(device)
        outputs: StudentOutputs = rival(x)
        right += int((outputs.classes.cpu().numpy() == split.labels[start : start + batch]).sum())
        given = x if rival.config.encoding is Encoding.DIRECT else x.sum(dim=0)
        seen = [
            (values.flatten(1) > 0).sum(dim=0).cpu()
            for values in (given, *(rates[0] for rates in outputs.spikes.values()))
        ]
        counts = [one + other for one, other in zip(counts, seen, strict=True)] if counts else seen
    return RivalAnswers(
        accuracy=right / len(split), active=[count.numpy().astype(np.float64) / len(split) for count in counts]
    )
