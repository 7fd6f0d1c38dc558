"""Measures `snnc` beside Spiker+: the same shape, weights, chip and tools, in one run.

    apt install ghdl iverilog                         # 2.0.0 and 11.0 were used
    pip install --no-deps -r benchmarks/peers.txt     # here, or in an environment of its own: --spikerplus PYTHON
    python benchmarks/spikerplus.py                   # both networks; an hour on one busy core
    python benchmarks/spikerplus.py 64-32-10 --seeds 3

Spiker+ writes VHDL, GHDL simulates it and turns it into Verilog, and from there on both go through the same commands of
`snnc synth`: Yosys, then nextpnr with each seed. Both get the same random weights and, spike for spike, the same random
inputs; the table is at `DENSITY`, and the cycles are measured at other densities as well.

- Ours: IF, soft reset, a bias and a threshold of its own per neuron, readout of membranes; with the serial shell.
  Cycles are the simulated ones of `snnc verify`, which ends the run unless every one equals its prediction.
- Spiker+: IF as near as it can (see spikerplus_vhdl.py), subtractive reset, one threshold per layer (the median of
  ours), no bias, spiking readout; every neuron has an adder of its own. `TOP` is put around it, a shift register for
  its inputs, which no package has the pins for: flip-flops alone. Its membranes are the narrowest that hold every sum
  of these inputs at `DENSITY`; ours, the widest that any input can need, are a further row with --wide.

What is synthesised of Spiker+ is also simulated as Verilog: it must give the VHDL's spikes in the VHDL's cycles.

The cycles of a step are, for ours, those of a sample shared out over its steps; for Spiker+ those from one update to
the next, without what a sample adds at both ends.
"""

from __future__ import annotations

import itertools
import json
import math
import re
import shutil
import statistics
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np
import numpy.typing as npt
from rich.console import Console
from rich.table import Table

from snnc.compiler.build.folder import Build, open_build
from snnc.compiler.commands.synth import TOP as SHELL
from snnc.compiler.commands.verify import random_inputs
from snnc.compiler.errors import FitError
from snnc.compiler.ir import Dense, IntegrateAndFire
from snnc.compiler.targets import every_tool, load_target
from snnc.compiler.tools import tool_versions
from snnc.sim.trust.verify import verify_build

REPOSITORY = Path(__file__).resolve().parents[1]
STEPS = 10
DENSITY = 0.15
DENSITIES = (0.0, 0.02, 0.05, 0.1, 0.15, 0.25, 0.5, 1.0)

TOP = """
module spiker_top(
  input clk, input rst_n, input start, input spike, output ready, output sample, output [{outputs}-1:0] out_spikes
);
  reg [{inputs}-1:0] in_spikes;
  always @(posedge clk) in_spikes <= {{in_spikes, spike}};
  network network(
    .clk(clk), .rst_n(rst_n), .start(start), .sample_ready(1'b1), .ready(ready), .sample(sample),
    .in_spikes(in_spikes), .out_spikes(out_spikes)
  );
endmodule
"""

# Both benches write "ready CYCLE" where a sample can start, which it does at once, and "step CYCLE HIDDEN OUTPUT" where
# a step takes its inputs, with the spikes that the neurons show then.
VHDL_BENCH = """
library ieee;
use ieee.std_logic_1164.all;
use std.textio.all;

entity bench is
end entity;

architecture simulation of bench is
  signal clk, rst_n, start : std_logic := '0';
  signal ready, sample : std_logic;
  signal in_spikes : std_logic_vector({inputs}-1 downto 0) := (others => '0');
  signal hidden : std_logic_vector({hidden}-1 downto 0);
  signal out_spikes : std_logic_vector({outputs}-1 downto 0);
  signal done : boolean := false;
begin
  clk <= not clk after 5 ns when not done else '0';
  rst_n <= '1' after 52 ns;
  start <= '1' after 52 ns;

  dut : entity work.network port map(
    clk => clk, rst_n => rst_n, start => start, sample_ready => '1', ready => ready, sample => sample,
    in_spikes => in_spikes, hidden => hidden, out_spikes => out_spikes
  );

  process
    file spikes : text open read_mode is "spikes.txt";
    file log : text open write_mode is "ghdl.txt";
    variable row, entry : line;
    variable bits : bit_vector(in_spikes'range);
    variable cycle, samples : natural := 0;
  begin
    wait until rising_edge(clk) and rst_n = '1';
    while samples <= {samples} loop
      wait until rising_edge(clk);
      cycle := cycle + 1;
      if ready = '1' then
        samples := samples + 1;
        write(entry, "ready " & integer'image(cycle));
        writeline(log, entry);
      end if;
      if sample = '1' then
        write(entry, "step " & integer'image(cycle) & " " & to_string(hidden) & " " & to_string(out_spikes));
        writeline(log, entry);
        readline(spikes, row);
        read(row, bits);
        in_spikes <= to_stdlogicvector(bits);
      end if;
    end loop;
    done <= true;
    wait;
  end process;
end architecture;
"""

VERILOG_BENCH = """
`timescale 1ns / 1ns
module bench;
  reg clk = 0, rst_n = 0, start = 0;
  wire ready, sample;
  reg [{inputs}-1:0] in_spikes = 0;
  wire [{hidden}-1:0] hidden;
  wire [{outputs}-1:0] out_spikes;
  reg [{inputs}-1:0] rows[0:{rows}-1];
  integer log, cycle = 0, samples = 0, row = 0;

  network dut(
    .clk(clk), .rst_n(rst_n), .start(start), .sample_ready(1'b1), .ready(ready), .sample(sample),
    .in_spikes(in_spikes), .hidden(hidden), .out_spikes(out_spikes)
  );

  always #5 clk = ~clk;
  initial begin
    log = $fopen("icarus.txt", "w");
    $readmemb("spikes.txt", rows);
    #52 rst_n = 1;
    start = 1;
  end
  reg running = 0;
  always @(posedge clk) if (rst_n) running <= 1;
  always @(posedge clk) if (running) begin
    cycle <= cycle + 1;
    if (ready) begin
      samples <= samples + 1;
      $fwrite(log, "ready %0d\\n", cycle + 1);
      if (samples == {samples}) begin
        $fclose(log);
        $finish;
      end
    end
    if (sample) begin
      $fwrite(log, "step %0d %b %b\\n", cycle + 1, hidden, out_spikes);
      in_spikes <= rows[row];
      row <= row + 1;
    end
  end
endmodule
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A network and its chip; what is hoped for."""

    shape: str
    target: str
    device: str
    weight_bits: int
    lanes: str
    samples: int
    cycles: float


CASES = {
    case.shape: case
    for case in (
        Case(shape="64-32-10", target="ice40", device="up5k", weight_bits=6, lanes="16,10", samples=20, cycles=30),
        Case(shape="784-128-10", target="ecp5", device="25k", weight_bits=4, lanes="64,10", samples=5, cycles=260),
    )
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Activity:
    """Mean cycles, and spikes per hidden neuron and step, at one density of the inputs."""

    density: float
    step_cycles: float
    sample_cycles: float
    firing: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """What a design takes on the chip; `mhz` and `microseconds` are those of the median placement, and of a sample."""

    logic: int
    flip_flops: int
    block_rams: int
    mhz: float
    all_mhz: tuple[float, ...]
    microseconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One design."""

    design: str
    lanes: str
    membrane_bits: int
    activity: Activity
    placed: Placed | str


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """A network: ours is the first row, the Spiker+ to beat the second."""

    case: Case
    rows: tuple[Row, ...]
    ours: tuple[Activity, ...]
    spikerplus: tuple[Activity, ...]

    @property
    def bar(self) -> str:
        """What `met` says."""
        return f"At most {self.case.cycles:g} cycles a step at {DENSITY:.0%} events, no more logic than Spiker+"

    @property
    def met(self) -> bool:
        ours, theirs = (row.placed for row in self.rows[:2])
        less = isinstance(ours, Placed) and (isinstance(theirs, str) or ours.logic <= theirs.logic)
        return less and self.rows[0].activity.step_cycles <= self.case.cycles


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """A Spiker+ network of given width in a folder of its own."""

    folder: Path
    weights: tuple[npt.NDArray[np.int64], ...]
    thresholds: tuple[int, ...]
    weight_bits: int
    neuron_bits: int

    @property
    def sizes(self) -> dict[str, int]:
        """For the texts above."""
        first, last = self.weights[0], self.weights[-1]
        return {"inputs": first.shape[1], "hidden": len(first), "outputs": len(last)}

    def generate(self, interpreter: Path) -> None:
        """Its VHDL, and the Verilog of it."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        arrays: dict[str, Any] = {f"weights{layer}": matrix for layer, matrix in enumerate(self.weights)}
        np.savez(
            self.folder / "network.npz",
            thresholds=self.thresholds,
            weight_bits=self.weight_bits,
            neuron_bits=self.neuron_bits,
            time_steps=STEPS,
            **arrays,
        )
        script = Path(__file__).with_name("spikerplus_vhdl.py")
        _run([interpreter, "-P", "-W", "ignore", script, "network.npz", "vhdl"], self.folder)
        sources = sorted((self.folder / "vhdl").glob("*.vhd"))
        for path in sources:
            path.write_text(_prepared_vhdl(path.name, path.read_text()))
        files = [path.relative_to(self.folder) for path in sources]
        _run(["ghdl", "-i", "--std=08", *files], self.folder)
        _run(["ghdl", "-m", "--std=08", "network"], self.folder)
        verilog = _run(["ghdl", "synth", "--std=08", "--out=verilog", "network"], self.folder)
        (self.folder / "network.v").write_text(_prepared_verilog(verilog))
        (self.folder / "top.v").write_text(TOP.format(**self.sizes))

    def simulate(self, inputs: npt.NDArray[np.bool_], density: float) -> Activity:
        """What GHDL makes of spikes (time, sample, address)."""
        steps, samples, _ = inputs.shape
        log = self._ghdl(inputs)
        ready = np.array([int(line.split()[1]) for line in log if line.startswith("ready")])
        update = np.array([int(line.split()[1]) for line in log if line.startswith("step")]).reshape(samples, steps + 1)
        hidden = "".join(line.split()[2] for line in log if line.startswith("step"))
        return Activity(
            density=density,
            step_cycles=float((update[:, -1] - update[:, 0]).mean() / steps),
            sample_cycles=float(np.diff(ready).mean()),
            firing=hidden.count("1") / len(hidden),
        )

    def check(self, inputs: npt.NDArray[np.bool_]) -> None:
        """Compare VHDL and Verilog.

        Raises
        ------
        SystemExit
            They differ.
        """
        log = self._ghdl(inputs)
        _run(["iverilog", "-g2012", "-o", "bench.vvp", "bench.v", "network.v"], self.folder)
        _run(["vvp", "bench.vvp"], self.folder)
        if log != (self.folder / "icarus.txt").read_text().splitlines():
            raise SystemExit(f"The Verilog in {self.folder} does not do what the VHDL does: see ghdl.txt, icarus.txt.")

    def _ghdl(self, inputs: npt.NDArray[np.bool_]) -> list[str]:
        """Write both benches, run that in VHDL, and give its lines."""
        _, samples, addresses = inputs.shape
        # A sample of T steps is T + 1 updates, the last one for the readout: the inputs are silent in it, which is the
        # quickest. Address 0 is the last character of a line.
        silent = np.zeros((1, samples, addresses), np.bool_)
        updates = np.concatenate([inputs, silent]).transpose(1, 0, 2)[:, :, ::-1]
        rows = updates.reshape(-1, addresses).astype(int)
        (self.folder / "spikes.txt").write_text("".join("".join(map(str, row)) + "\n" for row in rows))
        sizes = {**self.sizes, "samples": samples, "rows": len(rows)}
        (self.folder / "bench.vhd").write_text(VHDL_BENCH.format(**sizes))
        (self.folder / "bench.v").write_text(VERILOG_BENCH.format(**sizes))
        _run(["ghdl", "-i", "--std=08", "bench.vhd"], self.folder)
        _run(["ghdl", "-m", "--std=08", "bench"], self.folder)
        _run(["ghdl", "-r", "--std=08", "bench", "--ieee-asserts=disable"], self.folder)
        return (self.folder / "ghdl.txt").read_text().splitlines()


def _prepared_vhdl(name: str, text: str) -> str:
    """What GHDL's Verilog would not bring over, said otherwise."""
    if match := re.match(r"mux_(\d+)to1", name):
        # GHDL 2.0 loses what comes after "when others" in its Verilog: the last choice is written out.
        last = "1" * int(math.log2(int(match[1])))
        nothing = "(others => 'X')" if "signed" in name else "'X'"
        choice = rf'when "{last}" => \1 when others => mux_out <= {nothing};'
        text, count = re.subn(r"when others =>\s+(mux_out <= in\d+;)", choice, text)
        assert count == 1, name
    if name == "network.vhd":
        # The port "ready" of the instance "layer_0" becomes a wire of the name that this signal has.
        text = re.sub(r"\blayer_(\d+)_ready\b", r"ready_of_\1", text)
        # For the benches; synthesis leaves it open.
        hidden = re.search(r"signal layer_0_feedback : ([^;]*);", text)
        assert hidden is not None
        text = text.replace("out_spikes : out", f"hidden : out {hidden[1]};\n        out_spikes : out", 1)
        text = text.replace("begin\n", "begin\n    hidden <= layer_0_feedback;\n", 1)
    if re.match(r"rom_.*_ip\.vhd", name):
        # GHDL turns an array "0 to N" round with a subtraction in front of every address: it is turned round here.
        rows = re.findall(r'^"[01]+"', text, re.MULTILINE)
        text = re.sub(r'^"[01]+"', lambda _: rows.pop(), text, flags=re.MULTILINE)
        text, count = re.subn(r"0 to (\d+)", r"\1 downto 0", text)
        assert count == 1, name
    return text


def _prepared_verilog(text: str) -> str:
    """GHDL's Verilog as Yosys takes it for what it means."""

    def selection(match: re.Match[str]) -> str:
        signal, body = match.groups()
        choices = re.findall(r"^\s*\d+'b([01]+):", body, re.MULTILINE)
        if any(choice.count("1") != 1 for choice in choices):
            return match[0]
        # One of many by a one-hot signal: a comparison of the one bit, not of all, and no latch where there is none.
        body = re.sub(r"'b([01]+):", lambda choice: f"'b{choice[1].replace('0', '?')}:", body)
        target = re.search(r": (\w+) <=", body)
        assert target is not None, body
        return f"(* parallel_case *) casez ({signal}){body}  default: {target[1]} <= 'bx;\n    endcase"

    text = re.sub(r"case \((\w+)\)(.*?)endcase", selection, text, flags=re.DOTALL)
    # Neither tool reads a number of 66,000 digits, which the zeros of an unused memory are.
    return re.sub(r"\b\d+'b0{1000,}\b", "0", text)


def _run(command: Sequence[str | Path], folder: Path) -> str:
    """What it printed on its standard output; its errors go to the terminal where it fails."""
    done = subprocess.run([str(part) for part in command], cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(
            f"{' '.join(map(str, command))} failed in {folder}:\n{done.stdout[-2000:]}{done.stderr[-2000:]}"
        )
    return done.stdout


def place(
    case: Case, sources: Sequence[Path], top: str, folder: Path, base: Path, *, seeds: Sequence[int], cycles: float
) -> Placed | str:
    """Synthesis, placement and routing as `snnc synth` does them, for both alike; a text where it does not fit."""
    target = load_target(case.target)
    device = target.device(case.device)
    synthesis = target.synthesise(sources, top=top, device=device, folder=folder, base=base)
    try:
        runs = [target.place_and_route(synthesis.netlist, device=device, folder=folder, seed=seed) for seed in seeds]
    except FitError as error:
        return str(error)
    mhz = tuple(run.fmax or 0.0 for run in runs)
    median = statistics.median(mhz)
    return Placed(
        logic=runs[0].used(device.logic_name),
        flip_flops=sum(count for cell, count in synthesis.cells.items() if re.match("SB_DFF|TRELLIS_FF", cell)),
        block_rams=runs[0].used("EBR"),
        mhz=median,
        all_mhz=mhz,
        microseconds=cycles / median,
    )


def compile_ours(case: Case, folder: Path) -> Build:
    """A random network of the shape, for spikes at the density of the table."""
    arguments = [
        *("--random", case.shape, "--encoding", "rate", "--density", str(DENSITY), "--time-steps", str(STEPS)),
        *("--weight-bits", str(case.weight_bits), "--lanes", case.lanes),
        *("--target", case.target, "--device", case.device, "-o", str(folder)),
    ]
    subprocess.run([Path(sys.executable).with_name("snnc"), "compile", *arguments], check=True)
    return open_build(folder)


def peers(build: Build, case: Case, inputs: npt.NDArray[np.bool_], folder: Path, *, wide: bool) -> list[Peer]:
    """Spiker+ with our weights and median thresholds: the narrowest membranes, then those of our width."""
    graph = build.load_graph()
    dense = [projection for projection in graph.projections if isinstance(projection, Dense)]
    weights = tuple(np.asarray(projection.weight, np.int64) for projection in dense)
    hidden = graph.layers[0].neuron
    assert isinstance(hidden, IntegrateAndFire)
    threshold = int(np.median(hidden.threshold))
    few, many = narrowest(weights, threshold, inputs), widest(build)
    return [
        Peer(
            folder=folder / f"spikerplus-{bits}",
            weights=weights,
            thresholds=(threshold, threshold),
            weight_bits=case.weight_bits,
            neuron_bits=bits,
        )
        for bits in ((few, many) if wide else (few,))
    ]


def widest(build: Build) -> int:
    """Bits of our widest stored membrane."""
    return max(engine.residual_bits for engine in build.plan.engines)


def narrowest(weights: Sequence[npt.NDArray[np.int64]], threshold: int, inputs: npt.NDArray[np.bool_]) -> int:
    """Bits that hold every sum, after each single addition, of neurons without a bias."""
    most = threshold
    spikes = inputs.astype(np.int64)
    for matrix in weights:
        membrane = np.zeros((spikes.shape[1], len(matrix)), np.int64)
        fired = np.empty((*spikes.shape[:2], len(matrix)), np.int64)
        for step, current in enumerate(spikes):
            # (sample, neuron, address)
            sums = membrane[:, :, None] + np.cumsum(current[:, None, :] * matrix, axis=2)
            most = max(most, int(sums.max()), -int(sums.min()) - 1)
            membrane = sums[:, :, -1]
            fired[step] = membrane > threshold
            membrane = membrane - threshold * fired[step]
        spikes = fired
    return most.bit_length() + 1


def measure(case: Case, interpreter: Path, output: Path, *, seeds: Sequence[int], wide: bool) -> Result:
    """All of a network."""
    build = compile_ours(case, output / "ours")
    stimuli = {
        density: random_inputs(build.plan, case.samples, time_steps=STEPS, density=density, seed=0)
        for density in DENSITIES
    }
    ours = []
    for density, inputs in stimuli.items():
        verdict = verify_build(build, inputs)
        (firing,) = verdict.firing_rates.values()
        cycles = verdict.cycles_mean
        ours.append(Activity(density=density, step_cycles=cycles / STEPS, sample_cycles=cycles, firing=firing))
    theirs: list[Activity] = []
    at = DENSITIES.index(DENSITY)
    activity = ours[at]
    placed = place(
        case, build.verilog, SHELL, build.path / "synth", build.path, seeds=seeds, cycles=activity.sample_cycles
    )
    rows = [Row(design="snnc", lanes=case.lanes, membrane_bits=widest(build), activity=activity, placed=placed)]
    for peer in peers(build, case, stimuli[DENSITY], output, wide=wide):
        peer.generate(interpreter)
        peer.check(stimuli[DENSITY][:, :1])
        if not theirs:
            theirs = [peer.simulate(inputs, density) for density, inputs in stimuli.items()]
        activity = theirs[at]
        sources = [peer.folder / "network.v", peer.folder / "top.v"]
        placed = place(
            case, sources, "spiker_top", peer.folder / "synth", peer.folder, seeds=seeds, cycles=activity.sample_cycles
        )
        lanes = ",".join(str(len(matrix)) for matrix in peer.weights)
        rows.append(
            Row(design="Spiker+", lanes=lanes, membrane_bits=peer.neuron_bits, activity=activity, placed=placed)
        )
    return Result(case=case, rows=tuple(rows), ours=tuple(ours), spikerplus=tuple(theirs))


def show(result: Result, console: Console) -> None:
    """The two tables of a network."""
    case = result.case
    title = f"{case.shape}, {case.weight_bits}-bit weights, T = {STEPS}, {DENSITY:.0%} events, {case.device}"
    heads = ("design", "lanes", "membranes", "a step", "a sample", "logic", "FF", "EBR", "Fmax", "time of a sample")
    table = Table(*heads, title=title)
    for row in result.rows:
        placed, activity = row.placed, row.activity
        found = (
            ("does not fit",)
            if isinstance(placed, str)
            else (
                f"{placed.logic:,}",
                f"{placed.flip_flops:,}",
                f"{placed.block_rams}",
                f"{placed.mhz:.1f} MHz",
                f"{placed.microseconds:.1f} us",
            )
        )
        cycles = (f"{activity.step_cycles:,.1f} cycles", f"{activity.sample_cycles:,.1f} cycles")
        table.add_row(row.design, row.lanes, f"{row.membrane_bits} bits", *cycles, *found)
    console.print(table)
    table = Table("inputs that spike", "snnc", "hidden firing", "Spiker+", "hidden firing", title="Cycles of a step")
    for ours, theirs in zip(result.ours, result.spikerplus, strict=True):
        cells = ((f"{activity.step_cycles:.1f}", f"{activity.firing:.1%}") for activity in (ours, theirs))
        table.add_row(f"{ours.density:.0%}", *itertools.chain(*cells))
    console.print(table)
    for row in result.rows:
        if isinstance(row.placed, str):
            console.print(f"{row.design} with {row.membrane_bits} bits: {row.placed}")
    console.print(f"{result.bar}: {'met' if result.met else 'MISSED'}.")


@click.command()
@click.argument("shapes", nargs=-1, type=click.Choice(list(CASES)))
@click.option("--seeds", default=5, show_default=True, help="Placements, 1 to N.")
@click.option("--wide", is_flag=True, help="Spiker+ with membranes of our width as well.")
@click.option(
    "--spikerplus",
    "interpreter",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    default=Path(sys.executable),
    show_default="this one",
    help="The Python that has Spiker+.",
)
@click.option(
    "--output", type=click.Path(path_type=Path), default=REPOSITORY / "build" / "benchmarks", show_default=False
)
def main(shapes: tuple[str, ...], seeds: int, wide: bool, interpreter: Path, output: Path) -> None:
    """Measure the networks SHAPES, or both."""
    # Not resolved: the link in an environment is what makes it that environment.
    interpreter = interpreter.absolute()
    ghdl = _run(["ghdl", "--version"], REPOSITORY).splitlines()[0]
    spikerplus = _run(
        [interpreter, "-P", "-c", "from importlib.metadata import version; print(version('spikerplus'))"], REPOSITORY
    ).strip()
    output.mkdir(parents=True, exist_ok=True)
    console = Console(width=140)
    results = []
    for shape in shapes or CASES:
        folder = output / "spikerplus" / shape
        results.append(measure(CASES[shape], interpreter, folder, seeds=range(1, seeds + 1), wide=wide))
        show(results[-1], console)
    facts = {
        "tools": {**tool_versions(every_tool()), "ghdl": ghdl, "spikerplus": spikerplus},
        "networks": [{**asdict(result), "bar": result.bar, "met": result.met} for result in results],
    }
    (output / "spikerplus.json").write_text(json.dumps(facts, indent=2) + "\n")
    if not all(result.met for result in results):
        raise SystemExit("A bar was missed.")


if __name__ == "__main__":
    main()
