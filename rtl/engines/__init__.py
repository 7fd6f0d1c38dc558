"""Engines: each computes a population. One folder per kind, one line in `ENGINES`.

A folder holds a file for each witness, which stand on different floors and are loaded when they are asked for:

=================  =======================================================================
``plan.py``        the record (`snnc.compiler.plan.kinds.EngineKind`): its fields and rules
``memories.py``    which layers it takes, and the menu of its memories (`EngineMemories`)
``cells.py``       its logic cells, estimated
``images.py``      what stands in its memories beside weights and constants
``circuit.py``     the hardware: `build` it, and `hear_input` to join it to the input port
``timing.py``      the same in cycles, exact: `Timing`
``estimate.py``    the same for a mean sample: `MeanSample`
``bound.py``       the fewest cycles that it could take: `Ideal`
=================  =======================================================================

A core with an early exit *cancels* samples: it resets an engine for a cycle, with all that stands in front of it (by
the reset of their clock domain), whatever it is doing. (A readout resets its sequencer alone, and hands the logits
out.) An engine that is built with ``cancels`` has a port for one promise: from the cycle after a reset on, ``clears``
is high until nothing depends any more on what its memories held. No beat comes while that of any engine is. A register
with an initial value needs nothing more, and neither does a memory that is written before it is read.

None of them imports another's witness of the same thing: a circuit knows no timing, and the other way round.
"""

import functools
import importlib
from collections.abc import Mapping
from types import ModuleType
from typing import Final

from snnc.compiler.plan.kinds import EngineKind
from snnc.rtl.engines.gather.plan import GatherKind
from snnc.rtl.engines.image.plan import ImageKind
from snnc.rtl.engines.pixel_list.plan import PixelListKind
from snnc.rtl.engines.scatter.plan import ScatterKind

__all__ = ["ENGINES", "witness"]

_KINDS: Final = (ImageKind, PixelListKind, GatherKind, ScatterKind)

ENGINES: Final[Mapping[str, type[EngineKind]]] = {kind.kind: kind for kind in _KINDS}
"""By the name of the folder; a layer gets the first one that takes it."""


def witness(kind: EngineKind | type[EngineKind], name: str) -> ModuleType:
    """The file ``NAME.py`` in the folder of a kind."""
    return _file(kind.kind, name)


@functools.cache  # a search for lanes asks some ten thousand times
def _file(folder: str, name: str) -> ModuleType:
    return importlib.import_module(f"{__name__}.{folder}.{name}")
