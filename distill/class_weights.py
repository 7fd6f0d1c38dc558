"""Weights of classes in a loss: what a right answer of a rare class is worth.

``balanced`` weighs class ``k`` by ``n / (K n_k)``, with ``n_k`` of ``n`` labels (King and Zeng, "Logistic regression in
rare events data", 2001): all classes then weigh the same together, and a label weighs 1 on average.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor

from snnc.compiler.errors import OptionError
from snnc.distill.data.dataset import UNLABELLED, Labels

__all__ = ["BALANCED", "read_class_weights", "weigh_classes", "weights_file"]

BALANCED: Final = "balanced"
_SUFFIX: Final = ".json"


def weights_file(text: str) -> Path | None:
    """The file that ``--class-weights`` names; None where it says the weights themselves."""
    return Path(text) if text.endswith(_SUFFIX) else None


def read_class_weights(text: str, classes: Sequence[str]) -> str:
    """What `weigh_classes` takes: ``balanced``, or one number for each class, ``1.0,2.5``.

    Parameters
    ----------
    text
        One of the two, or the name of a ``.json`` file of numbers by the names of all classes, or of a list.

    Raises
    ------
    OptionError
        It is none of them.
    """
    if text in ("", BALANCED):
        return text
    weights: Any = text.split(",")
    if (path := weights_file(text)) is not None:
        try:
            weights = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else error
            raise OptionError(f"'{text}' of --class-weights cannot be read: {reason}.") from None
        if isinstance(weights, dict):
            if set(weights) != set(classes):
                wrong = sorted(set(weights) ^ set(classes))[0]
                raise OptionError(f"'{text}' of --class-weights must weigh every class and no other, not {wrong!r}.")
            weights = [weights[name] for name in classes]
    numbers = _numbers(weights)
    if numbers is None or len(numbers) != len(classes) or max(numbers) <= 0:
        raise OptionError(
            f"--class-weights must be {BALANCED}, {len(classes)} numbers from 0 on with commas between, not all 0, or "
            f"a {_SUFFIX} file of them by the names of the classes, not '{text[:60]}'."
        )
    return ",".join(map(repr, numbers))


def weigh_classes(text: str, labels: Labels, classes: int) -> Tensor | None:
    """The weights ``[K]`` that `read_class_weights` names; ``balanced`` by ``labels`` of any shape; None for none."""
    if not text:
        return None
    if text != BALANCED:
        return torch.tensor([float(number) for number in text.split(",")])
    counts = np.bincount(labels[labels != UNLABELLED], minlength=classes)
    return torch.from_numpy(counts.sum() / (classes * np.maximum(counts, 1))).float()


def _numbers(weights: Any) -> list[float] | None:
    try:
        numbers = [float(weight) for weight in weights]
    except (TypeError, ValueError):
        return None
    return numbers if all(math.isfinite(number) and number >= 0 for number in numbers) else None
