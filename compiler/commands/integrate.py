"""``snnc integrate``: a build as a component for somebody else's design."""

from __future__ import annotations

from pathlib import Path

import click

from snnc.compiler.backend.verilog import write_verilog
from snnc.compiler.build.folder import Build, replacing_folder, using_build
from snnc.compiler.build.templates import render
from snnc.compiler.errors import BuildError
from snnc.rtl.tops import AXIS, STARTUP_SECONDS

__all__ = ["component_files", "integrate_command"]

_DESCRIPTION = "snnc.core"


@click.command("integrate")
@click.argument("build", type=click.Path(path_type=Path))
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Folder to write; by default BUILD-axis.")
@click.option(
    "--mhz", type=click.FloatRange(1, 1000), default=100, show_default=True, help="The fastest clock that it gets."
)
def integrate_command(build: Path, output: Path | None, mhz: float) -> None:
    """Write BUILD as a component with AXI4-Stream ports: Verilog, images and a FuseSoC description."""
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
        f"Written to {path}: {AXIS.file} (module {AXIS.module}) and {len(files) - 1} files more; docs/integrate.md."
    )


def component_files(build: Build, *, cycles: int) -> dict[str, bytes]:
    """The component's files by name; the core is held in reset for so many `cycles` after configuration."""
    # Amaranth is not needed for anything before this.
    from snnc.rtl.emit import emit_top

    top = write_verilog({AXIS.name: emit_top(build.plan, AXIS, cycles)})[AXIS.name]
    images = sorted(name for name in build.manifest["files"] if name.startswith("images/"))
    description = render(__package__, "component.core.j2", {"images": images, "top": AXIS, "model": build.model_hash})
    return {
        AXIS.file: top.encode(),
        **{path.name: path.read_bytes() for path in build.core_verilog},
        "core.vlt": (build.path / "rtl" / "core.vlt").read_bytes(),
        **{name: (build.path / name).read_bytes() for name in images},
        _DESCRIPTION: description.encode(),
    }
