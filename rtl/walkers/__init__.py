"""Walkers: each turns an event beat into a run of engine operations. One folder per kind, one line in `WALKERS`.

A folder holds a file for each witness, which stand on different floors and are loaded when they are asked for:

=================  =======================================================================
``plan.py``        the record (`snnc.compiler.plan.walks.Walk`): its fields, and the rules of its memory
``memories.py``    which projections it takes, and the record and the weight rows of one (`WalkMemories`)
``images.py``      the weights in the order of those rows
``circuit.py``     the hardware; its ports are those of `members.walker_members`
``timing.py``      the same in cycles, exact: `Walker`, and `reach`
``estimate.py``    the mean operations of an event
=================  =======================================================================

None of them imports another's witness of the same thing: a circuit knows no timing, and the other way round.
"""

import functools
import importlib
from collections.abc import Mapping
from types import ModuleType
from typing import Final

from snnc.compiler.plan.walks import Walk
from snnc.rtl.walkers.convolution.plan import ConvolutionWalk
from snnc.rtl.walkers.dense.plan import DenseWalk
from snnc.rtl.walkers.gather.plan import GatherWalk
from snnc.rtl.walkers.image.plan import ImageWalk

__all__ = ["WALKERS", "witness"]

WALKERS: Final[Mapping[str, type[Walk]]] = {
    walk.kind: walk for walk in (DenseWalk, ImageWalk, ConvolutionWalk, GatherWalk)
}
"""By the name of the folder; a projection gets the first one that takes it."""


def witness(walk: Walk | type[Walk], name: str) -> ModuleType:
    """The file ``NAME.py`` in the folder of a walk's kind."""
    return _file(walk.kind, name)


@functools.cache  # a search for lanes asks some ten thousand times
def _file(folder: str, name: str) -> ModuleType:
    return importlib.import_module(f"{__name__}.{folder}.{name}")
