"""What became of each node of a network made elsewhere, and the whole result."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from snnc.compiler.errors import UnsupportedError
from snnc.compiler.formats.foreign.assumptions import Assumption
from snnc.compiler.formats.foreign.nodes import Network
from snnc.compiler.ir import Graph

__all__ = ["Finding", "Imported", "RefusalError", "Verdict", "as_it_is"]


class Verdict(Enum):
    """How well a node can be said in the integer contract."""

    EXACT = "exact"
    """The same equation: what differs is the rounding of weights, thresholds and biases alone."""
    REFITTED = "refitted"
    """An equation near to it; the finding says how near."""
    REFUSED = "refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What became of one node.

    Attributes
    ----------
    node, kind
        Its name and type as the source has them.
    verdict
        See `Verdict`.
    text
        What it became, by how much it was refitted, or why it was refused.
    remedy
        What would help; empty unless refused or refitted.
    """

    node: str
    kind: str
    verdict: Verdict
    text: str
    remedy: str = ""

    @property
    def sentence(self) -> str:
        return f"{self.kind} '{self.node[:80]}': {self.text}" + (f" {self.remedy}" if self.remedy else "")


class RefusalError(Exception):
    """A node cannot be said; caught by `build`, which makes a finding of it.

    Parameters
    ----------
    text
        A sentence: why.
    remedy
        A sentence: what would help.
    """

    def __init__(self, text: str, remedy: str = "") -> None:
        super().__init__(text)
        self.text, self.remedy = text, remedy


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Imported:
    """What was read.

    Attributes
    ----------
    graph
        At `Level.IMPORTED`; None where a node was refused.
    findings
        One for each node of the source, in the order of its data flow.
    assumptions
        What the source does not say.
    names
        The source's name of each population.
    network
        What was read, by whose own equations it can be run (`snnc.compiler.formats.foreign.simulate`); None for our own
        formats.
    """

    graph: Graph | None
    findings: tuple[Finding, ...]
    assumptions: tuple[Assumption, ...]
    names: tuple[tuple[str, str], ...] = ()
    network: Network | None = None

    @property
    def verdict(self) -> Verdict:
        """The worst of all nodes."""
        found = {finding.verdict for finding in self.findings}
        return next(
            (worst for worst in (Verdict.REFUSED, Verdict.REFITTED) if worst in found),
            Verdict.EXACT,
        )

    def accepted(self) -> Graph:
        """The graph.

        Raises
        ------
        UnsupportedError
            A node was refused.
        """
        for finding in self.findings:
            if finding.verdict is Verdict.REFUSED:
                raise UnsupportedError(finding.sentence)
        assert self.graph is not None
        return self.graph


def as_it_is(graph: Graph) -> Imported:
    """A network that leaves nothing open: each of its layers is exact."""
    findings = tuple(
        Finding(
            node=population.name,
            kind=type(population.neuron).__name__,
            verdict=Verdict.EXACT,
            text="a layer of this contract.",
        )
        for population in graph.populations
    )
    return Imported(graph=graph, findings=findings, assumptions=())
