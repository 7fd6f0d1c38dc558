"""``snnc integrate``: a build as a component for somebody else's design."""

from __future__ import annotations

from pathlib import Path

import click

from snnc.compiler.backend.verilog import write_verilog
from snnc.compiler.build.folder import Build, replacing_folder, using_build
from snnc.compiler.build.templates import render
from snnc.compiler.errors import BuildError
from snnc.compiler.plan import LOAD_BITS
from snnc.rtl.tops import AXIS, CORE, PARALLEL, REGISTERS, SHELL, SPI, STARTUP_SECONDS, Register

__all__ = ["component_files", "integrate_command"]

_DESCRIPTION = "snnc.core"
_TEMPLATES = {
    _DESCRIPTION: "component.core",
    "snnc_litex.py": "component_litex.py",
    "snnc_amaranth.py": "component_amaranth.py",
}
"""Of the files that are written from templates."""


@click.command("integrate")
@click.argument("build", type=click.Path(path_type=Path))
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Folder to write; by default BUILD-axis.")
@click.option(
    "--mhz", type=click.FloatRange(1, 1000), default=100, show_default=True, help="The fastest clock that it gets."
)
def integrate_command(build: Path, output: Path | None, mhz: float) -> None:
    """Write BUILD as a component with AXI4-Stream ports, registers behind AXI4-Lite, plain pins, or an SPI slave:
    Verilog, images, and what FuseSoC, LiteX and Amaranth need.
    """
    path = build.with_name(f"{build.name}-axis") if output is None else output
    if path.exists() and not (path / _DESCRIPTION).is_file():
        raise BuildError(f"'{path}' is there, and no component of snnc: name another folder with -o.")
    with using_build(build) as opened:
        files = component_files(opened, cycles=round(mhz * 1e6 * STARTUP_SECONDS))
        with replacing_folder(path) as folder:
            for name, data in files.items():
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                (folder / name).write_bytes(data)
    click.echo(
        f"Written to {path}: {AXIS.file} (module {AXIS.module}), {REGISTERS.file}, {PARALLEL.file}, {SPI.file} and "
        f"{len(files) - 4} files more; docs/integrate.md."
    )


def component_files(build: Build, *, cycles: int) -> dict[str, bytes]:
    """The component's files by name; the core is held in reset for so many `cycles` after configuration."""
    # Amaranth is not needed for anything before this.
    from snnc.rtl.beats import input_beat, result_beat
    from snnc.rtl.emit import emit_top
    from snnc.rtl.tops.board import Settings, with_buffer

    settings = Settings(board=SPI.name, clock_hz=round(cycles / STARTUP_SECONDS), baud=1, lights_low=(False,))
    tops = dict(
        write_verilog(
            {
                **{top.name: emit_top(build.plan, top, cycles) for top in (AXIS, REGISTERS, PARALLEL)},
                SPI.name: emit_top(build.plan, SPI, settings),
            }
        )
    )
    tops[SPI.name] = with_buffer(tops[SPI.name])
    images = sorted(name for name in build.manifest["files"] if name.startswith("images/"))
    verilog = [AXIS.file, REGISTERS.file, PARALLEL.file, SPI.file, *(path.name for path in build.core_verilog)]
    layouts = (input_beat(build.plan.input), result_beat(build.plan.readout))
    facts = {
        "images": images,
        "verilog": verilog,
        "top": AXIS,
        "registers": REGISTERS,
        "parallel": PARALLEL,
        "core": CORE,
        "model": build.model_hash,
        "address_bits": Register.address_bits(),
        "map": {register.name: register.value for register in Register},
        "input_bits": layouts[0].size,
        "result_bits": layouts[1].size,
        "load_bits": LOAD_BITS if build.plan.loaded else 0,
    }
    return {
        **{f"{name}.v": text.encode() for name, text in tops.items()},
        **{path.name: path.read_bytes() for path in build.core_verilog},
        "core.vlt": _waivers((build.path / "rtl" / "core.vlt").read_text(encoding="utf-8")).encode(),
        **{name: (build.path / name).read_bytes() for name in images},
        **{name: render(__package__, f"{template}.j2", facts).encode() for name, template in _TEMPLATES.items()},
    }


def _waivers(text: str) -> str:
    """A build's waivers for Verilator's lint, with those of its shell for tops that are as long and as deep."""
    lines = []
    for line in text.splitlines():
        shell = f'"*/{SHELL.file}"'
        lines += (
            [line.replace(shell, f'"*/{top.file}"') for top in (REGISTERS, PARALLEL, SPI)] if shell in line else [line]
        )
    return "\n".join(lines) + "\n"
