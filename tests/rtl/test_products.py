"""Sums of products: the unit against sums in Python, and what stands in a chip against what is simulated."""

from __future__ import annotations

import random
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from snnc.compiler.tools import yosys_folder
from snnc.rtl.products import ProductSums
from tests.rtl.benches import simulate
from tests.rtl.memories import simulate_memories


@pytest.mark.parametrize(
    ("lanes", "weight_bits", "value_bits", "sum_bits"), [(1, 4, 4, 12), (4, 2, 8, 14), (5, 8, 8, 16)]
)
def test_sums_are_those_of_the_products(
    lanes: int, weight_bits: int, value_bits: int, sum_bits: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    simulate_memories(monkeypatch, tmp_path)
    unit = ProductSums(lanes, weight_bits=weight_bits, value_bits=value_bits, sum_bits=sum_bits)
    generator = random.Random(f"{lanes} {weight_bits}")

    async def process(ctx: Any) -> None:
        # Of the cycles before: the products that were given, and those of the next sums.
        wanted: list[int | None] = [None] * lanes
        given, behind = [0] * lanes, [0] * lanes
        adds = False
        for _ in range(200):
            weights = [generator.randrange(-(2 ** (weight_bits - 1)), 2 ** (weight_bits - 1)) for _ in range(lanes)]
            value, digit = generator.randrange(2**value_bits), generator.random() < 0.6
            clear = generator.random() < 0.2
            ctx.set(unit.weights, sum((w & 2**weight_bits - 1) << k * weight_bits for k, w in enumerate(weights)))
            ctx.set(unit.value, value)
            ctx.set(unit.digit, digit)
            ctx.set(unit.clear, clear)
            found = ctx.get(unit.sums)
            for k, total in enumerate(wanted):
                assert total is None or found >> k * sum_bits & 2**sum_bits - 1 == total & 2**sum_bits - 1
            await ctx.tick()
            if clear:
                wanted = [0] * lanes
            elif adds:
                wanted = [None if total is None else total + more for total, more in zip(wanted, behind, strict=True)]
            behind, given, adds = given, [weight * value for weight in weights], digit

    simulate(unit, process)


BENCH = """
module bench;
    reg clk = 0, adds, clear;
    reg signed [{weight_bits} - 1:0] a, b;
    reg [{value_bits} - 1:0] value;
    wire [{sum_bits} - 1:0] sum_a, sum_b;
    integer k, seed = 3;
    snnc_multiply_pair #(
        .WEIGHT_BITS({weight_bits}), .VALUE_BITS({value_bits}), .SUM_BITS({sum_bits}), .LANES_EACH({lanes_each})
    ) unit (
        .clk(clk), .weight_a(a), .weight_b(b), .value(value), .adds(adds), .clear(clear), .sum_a(sum_a), .sum_b(sum_b)
    );
    initial begin
        for (k = 0; k < 400; k = k + 1) begin
            a = $random(seed); b = $random(seed); value = $random(seed);
            clear = k < 3 || $random(seed) % 7 == 0; adds = $random(seed);
            #1 clk = 1; #1 clk = 0;
            if (k > 2) $display("%h %h", sum_a, sum_b);
        end
        $finish;
    end
endmodule
"""


@pytest.mark.skipif(shutil.which("iverilog") is None, reason="Icarus Verilog is not installed")
@pytest.mark.parametrize(
    ("family", "lanes_each", "weight_bits", "value_bits", "sum_bits"),
    [
        ("ice40", 2, 2, 1, 9),
        ("ice40", 2, 4, 4, 13),
        ("ice40", 2, 8, 8, 16),
        ("ecp5", 1, 2, 1, 9),
        ("ecp5", 1, 4, 8, 16),
        ("ecp5", 1, 8, 8, 16),
        ("ecp5", 2, 1, 8, 12),
        ("ecp5", 2, 4, 8, 16),
        ("ecp5", 2, 5, 8, 11),
        ("ecp5", 2, 8, 2, 16),
    ],
)
def test_a_chips_multiplier_does_as_what_is_simulated(
    family: str,
    lanes_each: int,
    weight_bits: int,
    value_bits: int,
    sum_bits: int,
    repository: Path,
    tmp_path: Path,
) -> None:
    """Yosys's own model of the block, or ours where it has none, with the settings that synthesis gets."""
    bench = tmp_path / "bench.v"
    bench.write_text(
        BENCH.format(weight_bits=weight_bits, value_bits=value_bits, sum_bits=sum_bits, lanes_each=lanes_each)
    )
    cells = yosys_folder() / "ice40" / "cells_sim.v"
    if family == "ecp5":
        model = (repository / "compiler" / "targets" / "ecp5_mult18x18d.v").read_text()
        cells = tmp_path / "cells.v"
        cells.write_text(model.replace("snnc_mult18x18d", "MULT18X18D"))
    answers = []
    for name, more in (("simulated", []), ("chip", ["-DYOSYS", "-DNO_ICE40_DEFAULT_ASSIGNMENTS", str(cells)])):
        program = tmp_path / name
        sources = [
            *more,
            *(str(repository / "rtl" / f"{one}.v") for one in ("products", f"products_{family}")),
            str(bench),
        ]
        subprocess.run(["iverilog", "-g2012", "-s", "bench", "-o", str(program), *sources], check=True)
        answers.append(subprocess.run(["vvp", str(program)], check=True, capture_output=True, text=True).stdout)
    assert answers[0] == answers[1]
    assert len(set(answers[0].splitlines())) > 30
