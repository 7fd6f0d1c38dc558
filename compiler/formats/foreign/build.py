"""From nodes and edges to a graph of populations and projections, with a finding for each node."""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, assert_never

import numpy as np

from snnc.compiler.errors import CheckpointError
from snnc.compiler.formats.foreign.assumptions import Assumption, Assumptions, Decoding
from snnc.compiler.formats.foreign.findings import Finding, Imported, RefusalError, Verdict
from snnc.compiler.formats.foreign.flow import Flow, NodeError
from snnc.compiler.formats.foreign.neurons import SINGLE, Folded, fold, fold_integrator
from snnc.compiler.formats.foreign.nodes import (
    Affine,
    ChannelAffine,
    Convolve,
    Firing,
    Integrator,
    MaxPool,
    Network,
    Node,
    Pass,
    Pool,
    Refused,
    Sink,
    Source,
    Wait,
)
from snnc.compiler.formats.foreign.order import in_order
from snnc.compiler.formats.foreign.scale import with_fractions, with_whole_pools
from snnc.compiler.formats.foreign.synapses import Path
from snnc.compiler.ir import (
    Encoding,
    Graph,
    Initial,
    InputSource,
    IntegrateAndFire,
    Level,
    Pooling,
    Population,
    Projection,
    Readout,
    Reset,
    Shape,
    frozen,
    verify,
)

__all__ = ["build"]

INPUT: Final = "input"
READOUT: Final = "readout"


def build(network: Network, assumptions: Assumptions) -> Imported:
    """The graph of a network made elsewhere.

    Raises
    ------
    CheckpointError
        The network contradicts itself. What is sound but cannot be said is a finding, and no error.
    """
    try:
        flow = Flow(network)
        return _Builder(network, flow, assumptions).result()
    except NodeError as error:
        cause = error.cause
        if isinstance(cause, CheckpointError):
            raise CheckpointError(f"{error.node.kind} '{error.node.name[:80]}': {cause}") from None
        finding = _refused(error.node, cause)
        return Imported(graph=None, findings=(finding,), assumptions=network.assumed)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Part:
    """A population and what it hears."""

    population: Population
    projections: tuple[Projection, ...]


class _Builder:
    def __init__(self, network: Network, flow: Flow, assumptions: Assumptions) -> None:
        self._network, self._flow, self._assumptions = network, flow, assumptions
        self._pixels = assumptions.encoding is Encoding.DIRECT
        self._findings: dict[str, Finding] = {}
        self._last = self._answer()
        self._names = _names([flow.source, *self._neurons(), self._last], flow.source, self._last)

    def result(self) -> Imported:
        parts = list[_Part]()
        for node in self._neurons():
            self._add(parts, node, self._population)
        self._add(parts, self._last, self._readout)
        # The flow's shapes stand in the order of the data.
        nodes = [self._flow.nodes[name] for name in self._flow.shapes]
        for node in nodes:
            self._findings.setdefault(node.name, _exact(node, _said(node, self._flow)))
        findings = tuple(self._findings[node.name] for node in nodes)
        refused = any(finding.verdict is Verdict.REFUSED for finding in findings)
        assumed = (*self._network.assumed, *self._assumed())
        names = tuple((ours, theirs) for theirs, ours in self._names.items())
        graph = None if refused else self._graph(parts)
        return Imported(
            graph=graph, findings=findings, assumptions=assumed, names=names, network=None if refused else self._network
        )

    def _add(self, parts: list[_Part], node: Node, made: Callable[[Node], _Part]) -> None:
        """Make a part, or a finding of why it cannot be."""
        try:
            parts.append(made(node))
        except RefusalError as error:
            self._findings[node.name] = _refused(node, error)
        except NodeError as error:
            if not isinstance(error.cause, RefusalError):
                raise
            self._findings[error.node.name] = _refused(error.node, error.cause)
        except CheckpointError as error:
            raise NodeError(node, error) from None

    def _neurons(self) -> list[Node]:
        """What becomes a population that fires."""
        return [node for node in self._flow.nodes.values() if isinstance(node.operation, Firing | MaxPool | Refused)]

    def _answer(self) -> Node:
        """The node that becomes the readout: the output, or the integrator before it."""
        sink = self._flow.sink
        before = self._flow.before(sink)
        while len(before) == 1 and isinstance(before[0].operation, Pass):
            before = self._flow.before(before[0])
        if len(before) == 1 and isinstance(before[0].operation, Integrator):
            return before[0]
        return sink

    def _graph(self, parts: Sequence[_Part]) -> Graph:
        source = self._flow.source
        shape = self._flow.shapes[source.name]
        encoding = self._assumptions.encoding
        bits = 1 if encoding is Encoding.EVENTS else self._assumptions.bits
        first = Population(
            name=INPUT,
            shape=shape,
            neuron=InputSource(encoding=encoding, bits=bits),
            bias=frozen(np.zeros(shape[0])),
        )
        populations, projections = in_order(
            (first, *(part.population for part in parts)),
            tuple(projection for part in parts for projection in part.projections),
        )
        graph = Graph(
            name=_title(self._network.title),
            level=Level.IMPORTED,
            populations=populations,
            projections=projections,
            time_steps=self._assumptions.time_steps,
        )
        graph = with_fractions(with_whole_pools(graph, self._assumptions), self._assumptions)
        verify(graph)
        return graph

    def _population(self, node: Node) -> _Part:
        shape = self._flow.shapes[node.name]
        match node.operation:
            case Refused(text=text, remedy=remedy):
                raise RefusalError(text, remedy)
            case MaxPool() as pooling:
                return self._max_pooling(node, pooling, shape)
            case Firing() as firing:
                folded = fold(firing, shape, exact=self._assumptions.exact)
            case _:
                raise AssertionError(node.kind)
        part = self._heard(node, folded, shape)
        if folded.back is not None:
            name = part.population.name
            back = Pooling(source=name, target=name, weight=frozen(folded.back), kernel=(1, 1), stride=(1, 1), delay=1)
            part = dataclasses.replace(part, projections=(*part.projections, back))
        self._findings[node.name] = _judged(node, folded)
        return part

    def _readout(self, node: Node) -> _Part:
        shape = self._flow.shapes[node.name]
        match node.operation:
            case Integrator() as integrator:
                ignored = self._assumptions.decoding is Decoding.SUM
                folded = fold_integrator(integrator, shape, exact=self._assumptions.exact, leak_ignored=ignored)
                self._findings[node.name] = _judged(node, folded)
            case _:
                ones = np.ones(shape[0])
                folded = Folded(neuron=Readout(), gain=ones, bias=0 * ones, back=None, said="")
        return self._heard(node, folded, shape)

    def _heard(self, node: Node, folded: Folded, shape: Shape) -> _Part:
        """A population with every projection into it."""
        paths, constant = self._flow.into(node)
        for path in paths:
            if math.prod(path.shape) != math.prod(shape):
                raise CheckpointError(f"'{node.name[:80]}' has {shape} neurons, but hears {path.shape}.")
        name = self._names[node.name]
        projections = tuple(
            path.projection(name, self._names[path.source], folded.gain, pixels=self._is_pixels(path)) for path in paths
        )
        bias = folded.gain * constant + folded.bias
        return _Part(
            population=Population(name=name, shape=shape, neuron=folded.neuron, bias=frozen(bias)),
            projections=projections,
        )

    def _is_pixels(self, path: Path) -> bool:
        return self._pixels and path.source == self._flow.source.name

    def _max_pooling(self, node: Node, pooling: MaxPool, shape: Shape) -> _Part:
        """The OR of the spikes of a window: IF of threshold 1 and hard reset."""
        paths, constant = self._flow.into(node)
        if constant.any() or not all(path.plain and not self._is_pixels(path) for path in paths) or len(paths) != 1:
            raise RefusalError(
                "it takes the largest of currents; of spikes alone it can be built.",
                "Put it behind the neurons instead of before them, or average.",
            )
        name, path, channels = self._names[node.name], paths[0], shape[0]
        into = Pooling(
            source=self._names[path.source],
            target=name,
            weight=frozen(np.ones(channels)),
            kernel=pooling.kernel,
            stride=pooling.stride,
            delay=path.delay,
        )
        neuron = IntegrateAndFire(threshold=frozen(np.ones(channels)), reset=Reset.HARD, initial=Initial.ZERO)
        self._findings[node.name] = _exact(node, "the OR of the spikes of each window.")
        return _Part(
            population=Population(name=name, shape=shape, neuron=neuron, bias=frozen(np.zeros(channels))),
            projections=(into,),
        )

    def _assumed(self) -> list[Assumption]:
        options = self._assumptions
        bits = "" if options.encoding is Encoding.EVENTS else f" of {options.bits} bits"
        return [
            Assumption(text=f"The input is encoded as '{options.encoding.value}'{bits}.", option="encoding"),
            Assumption(text=f"A sample has at most {options.time_steps} time steps.", option="time-steps"),
            Assumption(text=_answered(self._last, self._flow, self._assumptions.decoding), option="decoding"),
        ]


def _answered(last: Node, flow: Flow, decoding: Decoding) -> str:
    if isinstance(last.operation, Integrator):
        sums = decoding is Decoding.SUM or not (np.abs(last.operation.beta - 1) > SINGLE).any()
        what = "sum" if sums else "membrane after the last step"
        return f"The class is the largest {what} of '{last.name[:60]}'."
    firing = [node for node in flow.before(last) if isinstance(node.operation, Firing)]
    return "The class is the neuron with the most spikes." if firing else "The class is the largest sum of outputs."


def _said(node: Node, flow: Flow) -> str:
    """What a node that is no population became."""
    match node.operation:
        case Source():
            return f"the input, {'x'.join(map(str, flow.shapes[node.name]))}."
        case Sink():
            return "the readout."
        case Pass():
            return "flat indices stay as they are."
        case Wait(steps=steps):
            return f"a delay of {steps} steps."
        case Affine(weight=weight):
            return f"dense, {weight.shape[0]} x {weight.shape[1]} weights."
        case Convolve(weight=weight):
            return f"convolution, {' x '.join(map(str, weight.shape))} weights."
        case ChannelAffine():
            return "folded into weights and biases."
        case Pool(average=average):
            return f"{'averages' if average else 'sums'} of windows in the projection that follows."
        case Integrator():
            return "the readout."
        case Firing() | MaxPool() | Refused():
            return ""
        case _ as unreachable:
            assert_never(unreachable)


def _judged(node: Node, folded: Folded) -> Finding:
    if folded.refit:
        remedy = "Compare both on samples, or train with what can be built."
        return Finding(node=node.name, kind=node.kind, verdict=Verdict.REFITTED, text=folded.refit, remedy=remedy)
    return _exact(node, folded.said)


def _exact(node: Node, text: str) -> Finding:
    return Finding(node=node.name, kind=node.kind, verdict=Verdict.EXACT, text=text)


def _refused(node: Node, error: RefusalError) -> Finding:
    return Finding(node=node.name, kind=node.kind, verdict=Verdict.REFUSED, text=error.text, remedy=error.remedy)


def _names(nodes: Sequence[Node], source: Node, last: Node) -> Mapping[str, str]:
    """An identifier for each population, as near to its own name as can be."""
    names = {source.name: INPUT}
    taken = {INPUT, READOUT}
    for node in nodes:
        if node in (source, last):
            continue
        base = re.sub(r"[^A-Za-z0-9]+", "_", node.name[:40]).strip("_") or "layer"
        base = base if base[0].isalpha() else f"n{base}"
        name, count = base, 2
        while name in taken:
            name, count = f"{base}_{count}", count + 1
        taken.add(name)
        names[node.name] = name
    return names | {last.name: READOUT}


def _title(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9 _.,+-]+", "_", text)[:100] or "network"
