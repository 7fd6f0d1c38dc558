"""``report.html``: one page that needs nothing but itself."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Final

from snnc.compiler import __version__
from snnc.compiler.build.templates import page_environment
from snnc.compiler.ir.model import model_hash
from snnc.sim.evaluation import plots, rasters
from snnc.sim.evaluation.evaluation import Evaluation, shown_steps
from snnc.sim.evaluation.noise import NOISES

if TYPE_CHECKING:
    import jinja2

__all__ = ["FLOAT_NOTE", "MODEL_NOTE", "render_html"]

FLOAT_NOTE: Final = (
    "The float network is the stored parameters before rounding. After quantisation-aware training its weights are "
    "multiples of the quantiser's step already, so that it differs from the integer network in thresholds and biases "
    "alone; what training called the float student is recorded beside it."
)

MODEL_NOTE: Final = (
    "Modelled, not measured: operations times the energy of one. Memory traffic, clock and control are not counted, "
    "and on an FPGA they are most of the power."
)

_TEMPLATE: Final = "report.html.j2"

_ROWS: Final = 16
"""Of the table of accuracy, at most."""


def render_html(result: Evaluation) -> str:
    """The page."""
    drawn = {
        "accuracy": plots.accuracy_over_time(result),
        "confusion": plots.confusion(result),
        "weights": plots.weight_histograms(result),
        "rates": plots.firing_rates(result) if len(result.graph.layers) > 1 else "",
        "noise": plots.noise_immunity(result) if result.immunity else "",
        "sample": rasters.one_sample(result) if result.activity.time_steps > 1 else "",
    }
    return (
        _environment()
        .get_template(_TEMPLATE)
        .render(
            result=result,
            plots=drawn,
            noises=NOISES,
            shown=shown_steps(result.activity.time_steps, _ROWS),
            sample=rasters.caption(result),
            hash=model_hash(result.graph),
            version=__version__,
            float_note=FLOAT_NOTE,
            model_note=MODEL_NOTE,
        )
    )


@functools.cache
def _environment() -> jinja2.Environment:
    environment = page_environment("snnc.sim.evaluation")
    environment.filters["percent"] = lambda value, digits=1: f"{value:.{digits}%}"
    environment.filters["count"] = lambda value: f"{value:,.0f}"
    environment.filters["energy"] = lambda value: f"{value:,.3g}" if value < 1000 else f"{value:,.0f}"
    environment.filters["shape"] = lambda value: "×".join(map(str, value))
    return environment
