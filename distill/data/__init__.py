"""Data sets with a fixed split into train, validation and test.

===============  ======  ==========  ======  ==============================================================
name             train   validation  test    where it comes from
===============  ======  ==========  ======  ==============================================================
`digits`         1077    360         360     scikit-learn's bundled 8x8 digits, nothing to download
`mnist`          55,000  5,000       10,000  the four idx files; the test images in their own order
`fashion-mnist`  55,000  5,000       10,000  the same
`cifar10`        45,000  5,000       10,000  the six ``.bin`` files, or ``cifar10_jpegq75.npz`` (lossy)
`spoken-digits`  2,430   270         300     ``spoken_digits_logmel.npz``: log-mel maps, 64 frames x 32 bands
`spoken-events`  2,430   270         300     the same maps as events, a frame of bands a time step
`watch`          2,055   405         1,145   ``watch.npz``: events of a smart watch, split by person
`watch-fine`     2,055   405         1,145   the same recordings, each channel at six thresholds
`saccade-mnist`  18,334  1,667       3,334   the files of `mnist`, seen by a simulated event camera
`npz`            9/10    1/10        all     any ``.npz`` of images or events, which may bring a validation set
===============  ======  ==========  ======  ==============================================================

The validation samples (and the test samples of `digits`, which has no test set of its own) are drawn per class with a
fixed seed that is *not* the training seed: every student of a data set has seen the same samples.  ``RandomState`` is
used because NumPy promises that its streams never change (NEP 19).

This package needs NumPy only, so that what merely reads test images does not wait for torch.  A new source is one
file with a function ``(name, root) -> Dataset`` and one line in `DATASETS`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from snnc.compiler.errors import OptionError
from snnc.distill.data.cifar import load_cifar10
from snnc.distill.data.dataset import DATA_VARIABLE, Dataset, Split, scale_to_8_bits
from snnc.distill.data.digits import load_digits
from snnc.distill.data.idx import load_idx
from snnc.distill.data.npz import load_npz, load_spoken_digits
from snnc.distill.data.saccades import load_saccades
from snnc.distill.data.spoken_events import load_spoken_events
from snnc.distill.data.watch import FINE, load_watch

__all__ = ["DATASETS", "DATA_VARIABLE", "Dataset", "Split", "chosen", "load", "scale_to_8_bits"]

_DIGITS = tuple(map(str, range(10)))
_CLOTHES = ("T-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot")

DATASETS: Mapping[str, Callable[[str, str | Path | None], Dataset]] = {
    "digits": load_digits,
    "mnist": partial(load_idx, title="MNIST", classes=_DIGITS),
    "fashion-mnist": partial(load_idx, title="Fashion-MNIST", classes=_CLOTHES),
    "cifar10": load_cifar10,
    "spoken-digits": load_spoken_digits,
    "spoken-events": load_spoken_events,
    "watch": load_watch,
    "watch-fine": partial(load_watch, shares=FINE),
    "saccade-mnist": load_saccades,
    "npz": load_npz,
}


def chosen(name: str | None, root: str | Path | None) -> str | None:
    """The data set that `name` says, or where it says none, a file of one's own at `root`; None without either.

    Raises
    ------
    OptionError
        Both say one.
    """
    own = root is not None and Path(root).suffix.lower() == ".npz" and not Path(root).is_dir()
    if not own:
        return name
    if name not in (None, "npz"):
        raise OptionError(
            f"--data '{root}' is a file of your own, but --dataset says {name}: leave --dataset out, or name the "
            f"folder of {name}."
        )
    return "npz"


def load(name: str, root: str | Path | None = None) -> Dataset:
    """Load a data set by its name, one of `DATASETS`.

    Parameters
    ----------
    name
        A key of `DATASETS`.
    root
        Folder with the files, either directly or in a folder called ``name``; by default that of the environment
        variable ``SNNC_DATA``.  `digits` needs none; `npz` takes the file itself.
    """
    try:
        loader = DATASETS[name]
    except KeyError:
        raise OptionError(f"There is no data set called {name!r}; choose one of {', '.join(DATASETS)}.") from None
    return loader(name, root)
