"""The send-on-delta encoder of the chip and that of Python: the same events, over as long as it takes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from snnc.compiler.backend.verilog import encoder_verilog
from snnc.compiler.ir import Encoding
from snnc.compiler.plan import InputPlan, LayoutPlan
from snnc.distill.data.archives import open_archive
from snnc.distill.data.send_on_delta import SendOnDelta, thresholds_of
from snnc.sim.cosimulation.encoder import driven, encoded
from snnc.sim.cosimulation.ports import input_widths, pack_results, result_widths
from snnc.sim.models.stepper import Stepper
from tests.networks import build_graph, random_chain
from tests.streams import streaming

pytestmark = pytest.mark.heavy


def compare(samples: np.ndarray, thresholds: tuple[int, ...], folder: Path, *, bits: int, every: int | None) -> None:
    """Hold the events of the Verilog against those of NumPy."""
    layout = LayoutPlan(channels=2 * len(thresholds), rows=1, columns=1, lanes=1)
    plan = InputPlan(name="input", encoding=Encoding.EVENTS, layout=layout, value_bits=1)
    path = folder / "encoder.v"
    path.write_text(encoder_verilog(plan, thresholds, bits, every=every), encoding="utf-8")
    wanted, _ = SendOnDelta(thresholds=thresholds).encode(samples)
    got = encoded(path, samples, bits=bits)
    assert int((got != wanted).sum()) == 0
    assert 0.01 < wanted.mean() < 0.5


def walk(steps: int, channels: int, bits: int) -> np.ndarray:
    """Random walks between the ends of the range, with jumps, of very different slopes."""
    generator = np.random.default_rng(0)
    top = 2 ** (bits - 1) - 1
    slopes = 2 ** np.arange(channels) * 3
    walked = np.cumsum(generator.integers(-1, 2, (steps, channels)) * slopes, axis=0)
    folded = np.abs((walked % (4 * top)) - 2 * top) - top
    jumps = generator.random((steps, channels)) < 0.02
    return np.where(jumps, generator.integers(-top - 1, top + 1, (steps, channels)), folded).astype(np.int32)


def test_random_signals(tmp_path: Path) -> None:
    compare(walk(5_000, 4, 14), (20, 30, 90, 900), tmp_path, bits=14, every=25)


_CHAIN = """\
module chain (
    input clk, input rst,
    input i__valid, output i__ready, input [{bits}-1:0] i__payload,
    output o__valid, input o__ready, output [{result_bits}-1:0] o__payload
);
    wire valid, ready;
    wire [{beat_bits}-1:0] beat;
    snnc_send_on_delta encoder (
        .clk(clk), .rst(rst),
        .i__valid(i__valid), .i__ready(i__ready), .i__payload(i__payload),
        .o__valid(valid), .o__ready(ready), .o__payload(beat)
    );
    snnc_core core (
        .clk(clk), .rst(rst),
        .i__valid(valid), .i__ready(ready), .i__payload(beat),
        .o__valid(o__valid), .o__ready(o__ready), .o__payload(o__payload)
    );
endmodule
"""


def test_from_samples_to_decisions(tmp_path: Path) -> None:
    """Encoder and core as docs/sensors.md joins them, against the encoder and the stepper in NumPy."""
    graph = streaming(random_chain((8, 9, 3), time_steps=25))
    build = build_graph(graph, tmp_path / "build", lanes=(4, 3))
    samples, thresholds = walk(1_000, 4, 14), (20, 30, 90, 900)
    (tmp_path / "encoder.v").write_text(encoder_verilog(build.plan.input, thresholds, 14, every=25), encoding="utf-8")
    widths = input_widths(build.plan), result_widths(build.plan)
    beat_bits, result_bits = (sum(of.values()) for of in widths)
    (tmp_path / "chain.v").write_text(_CHAIN.format(bits=14, beat_bits=beat_bits, result_bits=result_bits))
    sources = [tmp_path / "encoder.v", tmp_path / "chain.v", *build.core_verilog]
    beats = driven(sources, "chain", samples, bits=14, beat_bits=result_bits, patience=5_000, cwd=build.path)
    events, _ = SendOnDelta(thresholds=thresholds).encode(samples)
    piece = Stepper(build.load_graph()).run(events, np.arange(1, 1_001) % 25 == 0)
    assert beats.tolist() == pack_results(build.plan, piece.logits)
    assert len(set(np.argmax(piece.logits, axis=1))) > 1


@pytest.mark.nightly
def test_a_million_random_samples(tmp_path: Path) -> None:
    compare(walk(250_000, 4, 14), (20, 30, 90, 900), tmp_path, bits=14, every=25)


@pytest.mark.nightly
def test_a_million_samples_of_a_watch(tmp_path: Path, data_folder: Path | None) -> None:
    if data_folder is None or not (data_folder / "watch" / "watch.npz").exists():
        pytest.skip("SNNC_DATA does not hold the recordings")
    with open_archive(data_folder / "watch" / "watch.npz") as archive:
        signal = archive.signal("signal")
    assert signal.size > 1_000_000
    compare(signal, thresholds_of(signal, 0.25), tmp_path, bits=16, every=None)
