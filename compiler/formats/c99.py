"""An integer network as one C99 file for a microcontroller: ``docs/semantics.md`` sections 1 and 2, no allocation.

A spike adds the weights that it reaches to their membranes, and nothing else is done for a synapse: the work of a step
is that of its spikes, and one update for each neuron. What a direct input adds is the same in every step and is summed
once. Weights lie in the order of that walk, by source, in int8 where they fit; membranes are int32, or int64 where a
bound from the weights asks for it. The head of the file states its memory and its operations.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, assert_never

import numpy as np
import numpy.typing as npt

from snnc.compiler import __version__
from snnc.compiler.errors import UnsupportedError
from snnc.compiler.formats.interface import Format, refuse_exit
from snnc.compiler.formats.reach import membrane_reach
from snnc.compiler.ir import (
    Array,
    Convolution,
    Dense,
    Encoding,
    Graph,
    Initial,
    IntegrateAndFire,
    Pooling,
    Population,
    Projection,
    Reset,
    as_convolution,
)
from snnc.compiler.ir.model import model_hash

__all__ = ["C99", "write_c"]

_HISTORY_LIMIT: Final = 2**20
"""Bytes of spikes that are kept of one population for projections with a delay."""
_COLUMNS: Final = 110

_Integers = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Table:
    """A constant array of the file."""

    name: str
    values: _Integers

    @property
    def kind(self) -> str:
        return _narrowest(self.values)

    @property
    def bytes(self) -> int:
        return self.values.size * int(self.kind[3:-2]) // 8

    def text(self) -> str:
        lines, line = [], ""
        for value in self.values.reshape(-1).tolist():
            item = _number(value) + ","
            if len(line) + len(item) > _COLUMNS:
                lines.append(line)
                line = ""
            line += item
        body = "\n".join((*lines, line))
        return f"static const {self.kind} {self.name}[{self.values.size}] = {{\n{body}\n}};"


def write_c(graph: Graph) -> bytes:
    """The file.

    Raises
    ------
    UnsupportedError, FitError
        The network needs more than such a file gives.
    """
    refuse_exit(graph, ".c")
    return _Writer(graph).text().encode("ascii")


C99: Final = Format(suffix=".c", write=write_c)


class _Writer:
    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        wide = max(membrane_reach(graph, population) for population in graph.layers) >= 2**31
        self._sum = "int64_t" if wide else "int32_t"
        self._tables: list[_Table] = []
        self._state: list[tuple[str, str, int]] = []
        """Type, name and length of what is kept in memory."""
        self._direct = graph.source.encoding is Encoding.DIRECT
        self._depths = {
            population.name: max((item.delay for item in graph.out_of(population.name)), default=0)
            for population in graph.populations
        }

    def text(self) -> str:
        graph = self._graph
        functions = [self._added(position, item) for position, item in enumerate(graph.projections)]
        steps = [self._stepped(population) for population in graph.layers]
        fan = [self._fan_out(item) for item in graph.projections]
        run = self._run()
        state = "\n".join(f"static {kind} {name}[{length}];" for kind, name, length in self._state)
        tables = "\n\n".join(table.text() for table in self._tables)
        leaks = any(getattr(population.neuron, "leak_shift", None) is not None for population in graph.layers)
        parts = [
            self._head(fan),
            _LEAK.replace("SUM", self._sum) if leaks else "",
            tables,
            state,
            *functions,
            *steps,
            run,
        ]
        return "\n\n".join(part for part in parts if part) + "\n"

    def _head(self, fan: list[int]) -> str:
        graph = self._graph
        source = graph.source
        constants = sum(table.bytes for table in self._tables)
        memory = sum(length * int(kind.strip("u")[3:-2]) // 8 for kind, _, length in self._state)
        lines = [
            f"{graph.name}, by snnc {__version__}; docs/semantics.md is what it computes.",
            f"Network {model_hash(graph)}.",
            "",
            f"    int snnc_run(const uint8_t *input, int time_steps, {self._sum} *logits);",
            "",
            f"gives the class and the {graph.readout.size} logits. `time_steps` is 1 to {graph.time_steps}. `input` is",
        ]
        size = " x ".join(map(str, graph.input.shape))
        if self._direct:
            lines.append(
                f"{size} pixels of {source.bits} bits (an 8-bit one p is (p * {2**source.bits - 1} + 127) / 255)."
            )
        else:
            lines.append(f"{size} spikes, 0 or 1, of one step after the other.")
        lines += [
            "",
            f"Constants {constants:,} bytes, memory {memory:,} bytes, no allocation; not reentrant.",
            f"A step updates {sum(item.size for item in graph.layers):,} neurons; a spike or a pixel takes at most",
        ]
        for item, reached in zip(graph.projections, fan, strict=True):
            once = ", once a sample" if self._is_steady(item) else ""
            lines.append(f"    {reached:,} additions from {item.source} to {item.target}{once}")
        body = "\n".join(f" * {line}".rstrip() for line in lines)
        return f"/*\n{body}\n */\n#include <stdint.h>\n#include <string.h>"

    def _fan_out(self, item: Projection) -> int:
        match item:
            case Dense():
                return self._graph.population(item.target).size
            case Convolution() | Pooling():
                kernel = item.kernel
                sizes = [-(-kernel[axis] // item.stride[axis]) for axis in range(2)]
                groups = item.groups if isinstance(item, Convolution) else self._graph.population(item.source).channels
                return math.prod(sizes) * self._graph.population(item.target).channels // groups
            case _ as unreachable:
                assert_never(unreachable)

    def _is_steady(self, item: Projection) -> bool:
        """Whether it adds the same in every step."""
        return self._direct and item.source == self._graph.input.name and not item.delay

    def _table(self, name: str, values: Array) -> str:
        self._tables.append(_Table(name=name, values=values.astype(np.int64)))
        return name

    def _memory(self, kind: str, name: str, length: int) -> str:
        self._state.append((kind, name, length))
        return name

    def _added(self, position: int, item: Projection) -> str:
        """A function that adds one event of a projection, of the value `x`, to the target's sums."""
        source, target = self._graph.population(item.source), self._graph.population(item.target)
        head = f"/* One event from {item.source} to {item.target}. */\n"
        head += f"static void add_{position}({self._sum} *sums, int32_t n, {self._sum} x)"
        scale = f" * {_number(2**item.shift)}" if item.shift else ""
        match item:
            case Dense():
                # By source neuron of p, so that an event reads a row.
                rows = item.weight.reshape(target.channels, -1, item.weight.shape[1])
                weight = self._table(f"w{position}", rows.transpose(2, 1, 0))
                index = _pooled_index("n", source.shape, item.pool)
                body = f"""
    const {self._tables[-1].kind} *w = {weight} + (int32_t)({index}) * {target.size};
    int32_t o;
    for (o = 0; o < {target.size}; o++)
        sums[o] += w[o] * x{scale};"""
            case Convolution():
                body = self._scattered(f"w{position}", item, source, target, scale)
            case Pooling():
                body = self._scattered(f"w{position}", as_convolution(item), source, target, scale)
            case _ as unreachable:
                assert_never(unreachable)
        return f"{head}\n{{{body}\n}}"

    def _scattered(self, name: str, item: Convolution, source: Population, target: Population, scale: str) -> str:
        """Every output position that sees the event, and at each of them the channels of its group."""
        outputs, rows, columns = target.shape
        each, (kh, kw) = outputs // item.groups, item.kernel
        inner = source.shape[0] // item.groups
        # (group, input channel, kernel row, kernel column, output channel)
        grouped = item.weight.reshape(item.groups, each, inner, kh, kw)
        weight = self._table(name, grouped.transpose(0, 2, 3, 4, 1))
        plane, width, pool = source.shape[1] * source.shape[2], source.shape[2], item.pool
        (down, right), (above, left), (tall, wide) = item.stride, item.padding, item.dilation
        return f"""
    const int32_t c = n / {plane}, y0 = n % {plane} / {width} / {pool} + {above}, x0 = n % {width} / {pool} + {left};
    const int32_t first = c / {inner} * {each};
    int32_t u, v, o;
    for (u = 0; u < {kh}; u++) {{
        const int32_t y = y0 - u * {tall};
        if (y < 0 || y % {down} != 0 || y / {down} >= {rows})
            continue;
        for (v = 0; v < {kw}; v++) {{
            const int32_t z = x0 - v * {wide};
            const {self._tables[-1].kind} *w = {weight} + ((c * {kh} + u) * {kw} + v) * {each};
            {self._sum} *to;
            if (z < 0 || z % {right} != 0 || z / {right} >= {columns})
                continue;
            to = sums + (y / {down} * {columns} + z / {right}) * {outputs} + first;
            for (o = 0; o < {each}; o++)
                to[o] += w[o] * x{scale};
        }}
    }}"""

    def _stepped(self, population: Population) -> str:
        """A function that takes a population through one step."""
        graph, name, neuron = self._graph, population.name, population.neuron
        channels, size = population.channels, population.size
        membrane = self._memory(self._sum, f"v_{name}", size)
        bias = self._table(f"bias_{name}", population.bias)
        into = [(position, item) for position, item in enumerate(graph.projections) if item.target == name]
        steady = any(self._is_steady(item) for _, item in into)
        drive = f"{bias}[n % {channels}]"
        if steady:
            drive += f" + {self._memory(self._sum, f'i_{name}', size)}[n]"
        leak = getattr(neuron, "leak_shift", None)
        begin = f"{membrane}[n]" if leak is None else f"leak({membrane}[n], {min(leak, 62)})"
        lines = [f"    for (n = 0; n < {size}; n++)", f"        {membrane}[n] = {begin} + {drive};"]
        for position, item in into:
            if self._is_steady(item):
                continue
            source = graph.population(item.source)
            read = self._read(source, item.delay)
            visit = f"add_{position}({membrane}, {self._flat(source)}, {'now[m]' if self._direct else '1'});"
            lines += [
                f"    if (t >= {item.delay}) {{ /* from {item.source} */",
                f"        const uint8_t *now = {read};",
                f"        for (m = 0; m < {source.size}; m++)",
                "            if (now[m])",
                f"                {visit}",
                "    }",
            ]
        if isinstance(neuron, IntegrateAndFire):
            lines += self._fired(population, neuron, membrane)
        heading = f"static void step_{name}(int t, const uint8_t *input)"
        unused = "    (void)t; (void)input; (void)m;"
        return "\n".join([heading, "{", "    int32_t n, m = 0;", unused, *lines, "}"])

    def _fired(self, population: Population, neuron: IntegrateAndFire, membrane: str) -> list[str]:
        name, channels, size = population.name, population.channels, population.size
        threshold = self._table(f"threshold_{name}", neuron.threshold)
        self._memory("uint8_t", f"s_{name}", (self._depths[name] + 1) * size)
        match neuron.reset:
            case Reset.SOFT:
                taken = threshold
                if neuron.subtracted is not None:
                    taken = self._table(f"subtracted_{name}", neuron.subtracted)
                after = f"{membrane}[n] -= {taken}[c];"
            case Reset.HARD:
                after = f"{membrane}[n] = 0;"
            case _ as unreachable:
                assert_never(unreachable)
        lines = [
            f"    for (n = 0; n < {size}; n++) {{",
            f"        const int32_t c = n % {channels};",
            f"        const uint8_t s = {membrane}[n] >= {threshold}[c];",
            "        if (s)",
            f"            {after}",
        ]
        if neuron.floor is not None:
            floor = self._table(f"floor_{name}", neuron.floor)
            lines += [f"        if ({membrane}[n] < {floor}[c])", f"            {membrane}[n] = {floor}[c];"]
        return [*lines, f"        {self._slot(population, 't')}[n] = s;", "    }"]

    def _slot(self, population: Population, t: str) -> str:
        """Where the spikes of step `t` lie."""
        depth = self._depths[population.name]
        base = f"s_{population.name}"
        return base if not depth else f"({base} + {t} % {depth + 1} * {population.size})"

    def _read(self, source: Population, delay: int) -> str:
        if source is self._graph.input:
            if self._direct:
                return "input"
            return f"input + (t - {delay}) * {source.size}" if delay else f"input + t * {source.size}"
        if (self._depths[source.name] + 1) * source.size > _HISTORY_LIMIT:
            raise UnsupportedError(
                f"The spikes of '{source.name}' are heard up to {self._depths[source.name]} steps later, which takes "
                f"{(self._depths[source.name] + 1) * source.size:,} bytes; {_HISTORY_LIMIT:,} are written as C."
            )
        return self._slot(source, f"(t - {delay})" if delay else "t")

    def _flat(self, source: Population) -> str:
        """The contract's flat index of `m`, in whose order only the input lies: ours has the channels innermost."""
        channels, plane = source.channels, source.size // source.channels
        if source is self._graph.input or channels == 1 or plane == 1:
            return "m"
        return f"m % {channels} * {plane} + m / {channels}"

    def _run(self) -> str:
        graph, readout = self._graph, self._graph.readout
        lines = ["    int32_t n;", "    int t, best = 0;", "    (void)n;"]
        for population in graph.layers:
            neuron = population.neuron
            if isinstance(neuron, IntegrateAndFire) and neuron.initial is Initial.HALF:
                lines.append(f"    for (n = 0; n < {population.size}; n++)")
                half = f"threshold_{population.name}[n % {population.channels}] / 2"
                lines.append(f"        v_{population.name}[n] = {half};")
            else:
                lines.append(f"    memset(v_{population.name}, 0, sizeof v_{population.name});")
        for population in graph.layers:
            into = [(position, item) for position, item in enumerate(graph.projections) if self._is_steady(item)]
            into = [(position, item) for position, item in into if item.target == population.name]
            if into:
                lines.append(f"    memset(i_{population.name}, 0, sizeof i_{population.name});")
                lines += [f"    for (n = 0; n < {graph.input.size}; n++)", "        if (input[n]) {"]
                lines += [f"            add_{position}(i_{population.name}, n, input[n]);" for position, _ in into]
                lines.append("        }")
        lines.append("    for (t = 0; t < time_steps; t++) {")
        lines += [f"        step_{population.name}(t, input);" for population in graph.layers]
        channels, plane = readout.channels, readout.size // readout.channels
        order = "n" if plane == 1 else f"n % {plane} * {channels} + n / {plane}"
        lines += [
            "    }",
            f"    for (n = 0; n < {readout.size}; n++) {{",
            f"        logits[n] = v_{readout.name}[{order}];",
            "        if (logits[n] > logits[best])",
            "            best = (int)n;",
            "    }",
            "    return best;",
        ]
        heading = f"int snnc_run(const uint8_t *input, int time_steps, {self._sum} *logits)"
        declared = f"int snnc_run(const uint8_t *input, int time_steps, {self._sum} *logits);"
        return "\n".join([declared, "", heading, "{", *lines, "}"])


_LEAK: Final = """/* V - (V >> k), rounded down for every sign: C leaves shifts of negative numbers open. */
static SUM leak(SUM v, int k)
{
    const int shift = k < (int)sizeof v * 8 - 1 ? k : (int)sizeof v * 8 - 1;
    const SUM taken = v < 0 ? ~(~v >> shift) : v >> shift;
    return v - taken;
}"""


def _pooled_index(n: str, shape: tuple[int, int, int], pool: int) -> str:
    """The flat index in ``p`` of a flat index of the source."""
    if pool == 1:
        return n
    _, height, width = shape
    plane, rows, columns = height * width, height // pool, width // pool
    return f"{n} / {plane} * {rows * columns} + {n} % {plane} / {width} / {pool} * {columns} + {n} % {width} / {pool}"


def _narrowest(values: Array) -> str:
    largest = int(np.abs(values).max()) if values.size else 0
    return next(f"int{bits}_t" for bits in (8, 16, 32, 64) if largest < 2 ** (bits - 1))


def _number(value: int) -> str:
    return f"INT64_C({value})" if abs(value) >= 2**31 else str(value)
