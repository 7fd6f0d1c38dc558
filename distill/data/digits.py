"""The bundled 8x8 digits: nothing to download, and no test set of their own.

``digits.npz`` beside this file holds ``images`` (1797, 8, 8) of 0 to 16 and ``labels`` (1797,), as they come with
scikit-learn: the test set of E. Alpaydin and C. Kaynak, "Optical Recognition of Handwritten Digits", UCI Machine
Learning Repository (1998), doi 10.24432/C50P49, CC BY 4.0.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np

from snnc.distill.data.dataset import Dataset, Split, hold_out, scale_to_8_bits

__all__ = ["load_digits"]

_FILE: Final = Path(__file__).with_name("digits.npz")


def load_digits(name: str, root: str | Path | None) -> Dataset:
    """The 1797 digits; validation and test are 360 each."""
    with np.load(_FILE, allow_pickle=False) as arrays:
        images, labels = arrays["images"].astype(np.int64), arrays["labels"].astype(np.int64)
    rest, test = hold_out(Split(images=scale_to_8_bits(images, 16)[:, None], labels=labels), 360)
    train, validation = hold_out(rest, 360)
    return Dataset(
        name=name,
        title="scikit-learn's digits",
        shape=(1, 8, 8),
        classes=tuple(map(str, range(10))),
        train=train,
        validation=validation,
        test=test,
    )
