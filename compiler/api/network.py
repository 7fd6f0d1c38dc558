"""A trained network in Python: read, run as integers, measured, compiled."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from snnc.compiler.errors import DataError, OptionError
from snnc.compiler.formats import ReadOptions, find_format
from snnc.compiler.formats.foreign.assumptions import Assumptions
from snnc.compiler.formats.foreign.findings import Finding
from snnc.compiler.formats.interface import NO_OPTIONS
from snnc.compiler.ir import Encoding, Graph
from snnc.compiler.ir.model import model_hash
from snnc.compiler.pipeline import integer_network
from snnc.sim.models import golden
from snnc.sim.models.inputs import encode

if TYPE_CHECKING:
    from snnc.building import Build
    from snnc.sim.evaluation.evaluation import Evaluation
    from snnc.streaming import Stream

__all__ = ["Network", "Run", "load"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Run:
    """What a network did with samples.

    Attributes
    ----------
    classes
        Index of the largest logit of each sample, the lowest on a tie; shape ``(N,)``.
    logits
        The readout's membranes after the last step, integers ``(N, class)``.
    spikes
        Of every spiking layer by its name, ``(N, T, C, H, W)``; empty where nothing was to be recorded.
    membranes
        Of every layer by its name, integers after the reset, ``(N, T, C, H, W)``; empty likewise.
    """

    classes: npt.NDArray[np.int64]
    logits: npt.NDArray[np.int64]
    spikes: Mapping[str, npt.NDArray[np.bool_]]
    membranes: Mapping[str, npt.NDArray[np.int64]]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Network:
    """An integer network, as hardware computes it; made by `load`.

    Attributes
    ----------
    path
        The file that it was read from; None where it was a module.
    graph
        Populations and projections, `docs/semantics.md`.
    weight_bits
        The width to which the trained weights were quantised again; None where they are as trained.
    trained
        The network in floats, of a module.
    reading
        What was said about a network made elsewhere.
    findings
        What became of each node of a network made elsewhere: exact, or refitted and by how much.
    """

    path: Path | None
    graph: Graph
    weight_bits: int | None = None
    trained: Graph | None = None
    reading: ReadOptions = NO_OPTIONS
    findings: tuple[Finding, ...] = ()

    @property
    def source(self) -> Path | Graph:
        """What is compiled: the file, or the network that a module gave."""
        if self.path is not None:
            return self.path
        return self.graph if self.trained is None else self.trained

    @property
    def said(self) -> str:
        """Where it comes from and what was said about it: for the record of a build."""
        where = f"the module '{self.name}'" if self.path is None else str(self.path)
        return f"{where} ({self.reading.text})" if isinstance(self.reading, Assumptions) else where

    @property
    def name(self) -> str:
        return self.graph.name

    @property
    def time_steps(self) -> int:
        """``T_max``, the most steps of a sample."""
        return self.graph.time_steps

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """``(C, H, W)`` of a sample."""
        return self.graph.input.shape

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes; empty where the file has none."""
        return tuple(self.graph.classes or ())

    @property
    def hash(self) -> str:
        """SHA-256 of everything that the network computes, as builds and reports state it."""
        return model_hash(self.graph)

    def run(self, x: npt.ArrayLike, *, time_steps: int | None = None, record: bool = True) -> Run:
        """Run samples through the golden model: exactly what the hardware will give.

        Parameters
        ----------
        x
            Pixels ``(N, C, H, W)``, uint8, as in a data set; or recorded events ``(N, T, C, H, W)``, uint8 of 0 or 1.
        time_steps
            Steps of every sample; by default `time_steps` of the network.
        record
            Keep spikes and membranes. Without, memory does not grow with the number of samples.

        Raises
        ------
        DataError
            `x` is no such array, or not of this network's shape.
        OptionError
            `time_steps` is out of range.
        """
        steps = self.time_steps if time_steps is None else time_steps
        inputs = self.encode(x, time_steps=steps)
        layers = self.graph.layers
        found: list[golden.Trace] = []
        for _, trace in golden.run_batches(self.graph, inputs, time_steps=steps, membranes=record):
            found.append(trace if record else dataclasses.replace(trace, populations={}))
        shapes = {layer.name: layer.shape for layer in layers}

        def joined(name: str, what: str) -> npt.NDArray[Any]:
            whole = np.concatenate([getattr(trace.populations[name], what) for trace in found], axis=1)
            return np.ascontiguousarray(whole.swapaxes(0, 1)).reshape(whole.shape[1], steps, *shapes[name])

        names = [layer.name for layer in layers] if record else []
        return Run(
            classes=np.concatenate([trace.classes for trace in found]),
            logits=np.concatenate([trace.logits for trace in found]),
            spikes=MappingProxyType({name: joined(name, "spikes") for name in names[:-1]}),
            membranes=MappingProxyType({name: joined(name, "membranes") for name in names}),
        )

    def stream(self) -> Stream:
        """Hear a stream without an end, step by step: exactly what hardware gives that was compiled with ``stream``.

        Raises
        ------
        UnsupportedError, FitError
            The network takes no events, or the membranes of a layer have no widths for it; the message says what would
            help.
        """
        from snnc.streaming import Stream

        return Stream(self.graph)

    def encode(self, x: npt.ArrayLike, *, time_steps: int | None = None) -> npt.NDArray[Any]:
        """What reaches the network: `docs/semantics.md` section 3.

        Parameters
        ----------
        x, time_steps
            As those of `run`.

        Returns
        -------
        Pixels ``(N, address)`` for direct encoding, else spikes ``(time, N, address)``.
        """
        steps = self.time_steps if time_steps is None else time_steps
        return encode_array(self.graph, x, time_steps=steps)

    def quantise(
        self,
        x: npt.ArrayLike,
        labels: npt.ArrayLike | None = None,
        *,
        weight_bits: int = 4,
        fraction_bits: int = 8,
        samples: int = 512,
        epochs: int = 0,
        rate: float = 0.02,
    ) -> Network:
        """The trained network in other integers, chosen by what it does on samples (``docs/networks.md``).

        Parameters
        ----------
        x
            Training samples, as `run` takes them.
        labels
            Their classes, by which epochs are judged; by default those that the trained network gives.
        weight_bits, fraction_bits
            Of weights; of membranes, at most.
        samples
            To calibrate on, from the first of `x`.
        epochs
            Of training afterwards, by the network in floats, on nine tenths of `x`; the last tenth judges.

        Raises
        ------
        OptionError
            This network was read from integers.
        MissingError
            torch is not installed, and there are epochs.
        """
        from snnc.quantising import requantised

        return requantised(
            self,
            np.asarray(x),
            None if labels is None else np.asarray(labels),
            weight_bits=weight_bits,
            fraction_bits=fraction_bits,
            samples=samples,
            epochs=epochs,
            rate=rate,
        )

    def compile(
        self,
        *,
        device: str = "up5k",
        out: str | Path | None = None,
        lanes: Sequence[int] | str | None = None,
        objective: str = "latency",
        engines: str = "auto",
        time_steps: int | None = None,
        stream: bool = False,
    ) -> Build:
        """Compile for a device, into a build folder.

        Parameters
        ----------
        device
            Of any family, such as ``"up5k"``, ``"hx8k"``, ``"25k"``.
        out
            The folder; by default ``build/NAME``.
        lanes
            Neurons updated per cycle, for each layer; chosen by `objective` where None.
        objective
            ``"latency"``, ``"balanced"`` or ``"area"``.
        engines
            What computes convolutions of spikes: ``"scatter"``, ``"gather"``, or ``"auto"`` for what is better.
        time_steps
            ``T_max`` of the hardware; by default that of the network.
        stream
            Hardware for streams without an end, which are answered at least every ``T_max`` steps.

        Raises
        ------
        FitError
            It does not fit the device; the message has the numbers.
        OptionError, UnsupportedError, ToolError
            See `snnc.compiler.errors`.
        """
        from snnc.building import compile_into

        return compile_into(
            self,
            device=device,
            out=out,
            lanes=lanes,
            objective=objective,
            engines=engines,
            time_steps=time_steps or self.time_steps,
            stream=stream,
        )

    def export(self, path: str | Path) -> None:
        """Write the integer network in another form (``docs/networks.md``), which the end of `path` says.

        Raises
        ------
        UnsupportedError
            It is of no form that is written, or the form cannot say the network.
        MissingError
            A package is not installed that writes it.
        BuildError
            `path` cannot be written.
        """
        from snnc.compiler.build.folder import replace_file
        from snnc.compiler.formats import find_writer

        replace_file(Path(path), find_writer(Path(path))(self.graph))

    def evaluate(
        self,
        *,
        dataset: str = "digits",
        data: str | Path | None = None,
        samples: int | None = None,
        out: str | Path = "build/evaluation",
        noise: str | None = None,
    ) -> Evaluation:
        """Measure accuracy, activity, operations and modelled energy on test data, and write the report into `out`.

        Parameters
        ----------
        dataset, data
            A data set by name, and the folder (or ``.npz`` file) that it lies in.
        samples
            How many, from the first; by default the whole test set.
        noise
            Kinds of noise to try, ``"all"`` or such as ``"gaussian,stuck-at-0"``.
        """
        from snnc.compiler.commands.evaluate import run
        from snnc.compiler.extras import needed

        with needed():
            return run(
                self.source,
                dataset=dataset,
                data=None if data is None else Path(data),
                samples=samples,
                time_steps=self.time_steps,
                costs="fp32",
                noise=noise,
                noise_samples=1000,
                noise_seeds=3,
                output=Path(out),
                reading=self.reading,
            )

    def _repr_html_(self) -> str:
        """What a notebook shows: the populations, and what each hears."""
        from snnc.compiler.build.fragments import table_fragment
        from snnc.compiler.ir.graph import neuron_text, projection_text

        rows = [
            (
                one.name,
                "x".join(map(str, one.shape)),
                neuron_text(one),
                "; ".join(projection_text(projection) for projection in self.graph.into(one.name)),
            )
            for one in self.graph.populations
        ]
        note = f"At most {self.time_steps} time steps; model {self.hash[:16]}."
        return table_fragment(self.name, rows, headings=("population", "shape", "neurons", "hears"), note=note)

    def __repr__(self) -> str:
        layers = ", ".join(f"{layer.name} {'x'.join(map(str, layer.shape))}" for layer in self.graph.layers)
        return f"<snnc.Network {self.name!r}: {layers}; T = {self.time_steps}>"


def load(path: str | Path, *, time_steps: int | None = None, weight_bits: int | None = None, **options: Any) -> Network:
    """Read a network from a file of a known format, and quantise it to integers.

    Parameters
    ----------
    path
        Such as a ``student.pt`` of ``snnc distill``.
    time_steps
        Most steps of a sample; by default as trained.
    weight_bits
        Quantise the trained weights again, to 1 to 8 bits.
    options
        What a file made elsewhere does not say (``docs/networks.md``), each as its option of ``snnc compile``:
        ``dt=1e-4, reset="late", encoding="rate"``.

    Raises
    ------
    CheckpointError, UnsupportedError, OptionError
        The file is none of ours, damaged, or asks for something that is not built.
    """
    path = Path(path)
    examine = find_format(path).examine
    if examine is None:
        if options:
            raise OptionError(f"'{next(iter(options))}' belongs to networks made elsewhere; '{path}' says its own.")
        graph = integer_network(path, time_steps=time_steps, weight_bits=weight_bits)
        return Network(path=path, graph=graph, weight_bits=weight_bits)
    reading = assumed(options, time_steps=time_steps, weight_bits=weight_bits)
    found = examine(path, reading)
    return Network(
        path=path,
        graph=integer_network(found.accepted(), weight_bits=weight_bits),
        weight_bits=weight_bits,
        reading=reading,
        findings=found.findings,
    )


def assumed(options: Mapping[str, Any], *, time_steps: int | None, weight_bits: int | None) -> Assumptions:
    """What was said about a network made elsewhere."""
    also = {"time_steps": time_steps, "weight_bits": weight_bits}
    return Assumptions.of({**options, **{name: value for name, value in also.items() if value is not None}})


def encode_array(graph: Graph, x: npt.ArrayLike, *, time_steps: int) -> npt.NDArray[Any]:
    """An array of a user as the golden model takes it, or an error that says what it should be."""
    array = np.asarray(x)
    shape, source = graph.input.shape, graph.source
    pixels = array.ndim == 4 and array.shape[1:] == shape
    events = array.ndim == 5 and array.shape[2:] == shape and source.encoding is Encoding.EVENTS
    wanted = f"pixels (N, {', '.join(map(str, shape))})"
    if source.encoding is Encoding.EVENTS:
        wanted += f", or events (N, T, {', '.join(map(str, shape))}) with T >= {time_steps}"
    if array.dtype not in (np.uint8, np.bool_) or not (pixels or events):
        raise DataError(
            f"The array is {array.dtype} of the shape {array.shape}, but '{graph.name}' takes uint8 {wanted}."
        )
    if not len(array):
        raise DataError(f"There is no sample in an array of the shape {array.shape}; give one at least.")
    if events and array.shape[1] < time_steps:
        raise DataError(f"The events have {array.shape[1]} steps, but {time_steps} are to be run; give time_steps.")
    if events and array.size and int(array.max()) > 1:
        raise DataError(f"The events reach {array.max()}, but a neuron spikes once in a step at most: give 0 or 1.")
    return encode(source, array.astype(np.uint8), time_steps=time_steps, events=events)
