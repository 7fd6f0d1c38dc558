"""What fills a core's SPRAM in simulation: a driver in Verilog, which every bench puts beside the core.

It sends ``images/load.hex`` of the build folder in which the simulation runs, as fast as the core takes it, so that no
Python runs meanwhile. It starts again with every reset, as a host must.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from snnc.compiler.build.folder import LOAD_IMAGE
from snnc.compiler.plan import LOAD_BITS, Plan

__all__ = ["Loading", "load_core", "load_shell"]

_DRIVEN: Final = """\
    wire load_valid, load_ready;
    wire {port}load_payload;
    snnc_load_driver load (
        .clk(clk), .rst(rst), .loaded(loaded),
        .valid(load_valid), .ready(load_ready), .payload(load_payload)
    );
"""

_DRIVER: Final = """
module snnc_load_driver (
    input wire clk, input wire rst,
    output wire valid, input wire ready, output wire {port}payload,
    output wire loaded
);
    // Offers payloads until `loaded`, with random pauses where there are `gaps`; what shows in a pause is no word.
    reg [{bits}-1:0] words [0:{words}-1];
    initial $readmemh("{image}", words);
    integer word = 0, part = 0;
    reg pause = 0;
    assign loaded = word == {words};
    assign valid = ~loaded & ~pause & ~rst;
    wire [{bits}-1:0] now = loaded ? 0 : words[word];
    wire [{beat}-1:0] beat = now;
    assign payload = valid ? beat[{part}] : ~beat[{part}];
    always @(posedge clk)
        if (rst) begin
            word <= 0;
            part <= 0;
            pause <= 0;
        end else begin
            if (valid & ready) begin
                part <= part == {parts} - 1 ? 0 : part + 1;
                if (part == {parts} - 1) word <= word + 1;
            end
            if (pause | ready) pause <= {gaps} & $urandom_range(2) == 0;
        end
endmodule
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Loading:
    """Parts of a bench in Verilog.

    Attributes
    ----------
    statements
        Drive the wire ``loaded``, high when the core is; from ``clk`` and ``rst`` of the bench.
    ports
        Further connections of the core's instance, each with a comma in front.
    module
        The driver's; empty where there is none.
    """

    statements: str
    ports: str
    module: str


def load_core(plan: Plan, *, gaps: bool) -> Loading:
    """Loads the core through its own port; `gaps` between words, or a word in every cycle."""
    if not plan.loaded:
        return Loading(statements="    assign loaded = 1;\n", ports="", module="")
    port = f"[{LOAD_BITS}-1:0] "
    ports = ", .load__valid(load_valid), .load__ready(load_ready), .load__payload(load_payload)"
    driver = _driver(plan, port=port, beat=LOAD_BITS, part=f"{LOAD_BITS}-1:0", parts=1, gaps=gaps)
    return Loading(statements=_DRIVEN.format(port=port), ports=ports, module=driver)


def load_shell(plan: Plan, *, beat_bits: int) -> Loading:
    """Loads the serial shell, bit by bit: while ``loaded`` is low, its driver has the input pins and sees ``ready``."""
    if not plan.loaded:
        return Loading(statements="    assign loaded = 1;\n", ports="", module="")
    driver = _driver(plan, port="", beat=beat_bits, part="part", parts=beat_bits, gaps=False)
    taken = "    assign load_ready = ~loaded & ready;\n"
    return Loading(statements=_DRIVEN.format(port="") + taken, ports="", module=driver)


def _driver(plan: Plan, *, port: str, beat: int, part: str, parts: int, gaps: bool) -> str:
    return _DRIVER.format(
        port=port,
        bits=LOAD_BITS,
        beat=beat,
        part=part,
        parts=parts,
        gaps=int(gaps),
        words=plan.load_words,
        image=LOAD_IMAGE,
    )
