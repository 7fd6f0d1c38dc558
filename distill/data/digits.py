"""scikit-learn's bundled 8x8 digits: nothing to download, and no test set of their own."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from snnc.distill.data.dataset import Dataset, Split, hold_out, scale_to_8_bits

__all__ = ["load_digits"]


def load_digits(name: str, root: str | Path | None) -> Dataset:
    """The 1797 digits; validation and test are 360 each."""
    from sklearn import datasets  # slow to import: other data sets need not wait for it

    bunch = datasets.load_digits()
    whole = Split(
        images=scale_to_8_bits(bunch.images.astype(np.int64), 16)[:, None],
        labels=bunch.target.astype(np.int64),
    )
    rest, test = hold_out(whole, 360)
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
