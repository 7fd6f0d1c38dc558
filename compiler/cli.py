"""The command line: `snnc COMMAND`."""

from __future__ import annotations

import errno
import gc
import importlib
import signal
import sys
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

import click

from snnc.compiler import __version__
from snnc.compiler.errors import InterruptedRun, SnncError
from snnc.compiler.extras import needed

__all__ = ["COMMANDS", "cli", "main"]

COMMANDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "distill": "snnc.compiler.commands.distill:distill",
        "compare": "snnc.compiler.commands.compare:compare_command",
        "check": "snnc.compiler.commands.check:check",
        "quantise": "snnc.compiler.commands.quantise:quantise_command",
        "export": "snnc.compiler.commands.export:export",
        "compile": "snnc.compiler.commands.compile:compile_command",
        "verify": "snnc.compiler.commands.verify:verify",
        "synth": "snnc.compiler.commands.synth:synth_command",
        "evaluate": "snnc.compiler.commands.evaluate:evaluate",
        "boards": "snnc.compiler.commands.boards:boards_command",
        "build": "snnc.compiler.commands.build:build_command",
        "encoder": "snnc.compiler.commands.encoder:encoder",
        "events": "snnc.compiler.commands.events:events_command",
        "flash": "snnc.compiler.commands.flash:flash_command",
        "run": "snnc.compiler.commands.run:run_command",
        "mlperf": "snnc.compiler.commands.mlperf:mlperf_command",
        "integrate": "snnc.compiler.commands.integrate:integrate_command",
        "diff": "snnc.compiler.commands.diff:diff_command",
        "explore": "snnc.compiler.commands.explore:explore_command",
        "early-exit": "snnc.compiler.commands.early_exit:early_exit",
        "activity": "snnc.compiler.commands.activity:activity_command",
        "demo": "snnc.compiler.commands.demo:demo_command",
    }
)
"""Module and object of every command. Only the one that was asked for is imported: some bring torch with them."""

_SUMMARIES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "distill": "Train a teacher and distil it into a spiking student: student.pt.",
        "compare": "Compare distillation methods over seeds and students, at equal budget.",
        "check": "Say of each node of a network whether it can be compiled exactly, nearly, or not.",
        "quantise": "Quantise a trained network by what it does on samples, to 4 bits or others.",
        "export": "Write the integer network of a student in another form: ONNX, C, NIR, sealed.",
        "compile": "Compile a student into an integer model, Verilog and memory images.",
        "verify": "Prove a build equal to its golden model in simulation.",
        "synth": "Synthesise, place and route a build, and make its bitstream.",
        "evaluate": "Measure a student: accuracy, activity, modelled energy, noise, and what ails it.",
        "boards": "List the boards, and which of them a network fits.",
        "build": "Compile a student for a board, down to its bitstream.",
        "encoder": "Write the gateware that turns a sensor's samples into a core's events.",
        "events": "Put address events of a recording into steps, for --data.",
        "flash": "Write a build's bitstream to its board.",
        "run": "Run samples on a board, or on its top in simulation.",
        "mlperf": "Write samples for MLPerf Tiny's published runner.",
        "integrate": "Write a build as a component with AXI4-Stream ports for another design.",
        "diff": "Say in what two builds differ: network, plan, area, time and verdicts.",
        "explore": "Plan students on many devices in many ways, and say which to build.",
        "early-exit": "Let samples that are sure end early: choose their margin on training data.",
        "activity": "Measure what a student does on validation data, and record it in its file.",
        "demo": "All of it on bundled data, in about a minute.",
    }
)

_FAULTS: Final = frozenset(
    {
        *(errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO),
        *(errno.EACCES, errno.EPERM, errno.EROFS, errno.ENAMETOOLONG, errno.ENOTDIR, errno.EISDIR),
    }
)
"""Of the machine or of a path that was given, not of this program: a full disk, a missing permission."""


_INTERRUPTED: Final = 128 + signal.SIGINT


class _LazyGroup(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name].partition(":")
        command: click.Command = getattr(importlib.import_module(module), name)
        if not gc.isenabled():
            # Modules stay until the process ends: looking through them took a seventh of a small compilation.
            gc.freeze()
            gc.enable()
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        # click's own would import every command for its first sentence.
        with formatter.section("Commands"):
            formatter.write_dl(list(_SUMMARIES.items()))


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="snnc")
def cli() -> None:
    """Compiles distilled spiking neural networks into bit-exact event-driven FPGA cores, with open tools only."""


def main() -> None:
    """Run the command line.

    Exit status: 1 after a `SnncError` or a fault of the machine, 2 after wrong usage, 130 after Ctrl-C, 143 after
    SIGTERM, which is cleaned up after like Ctrl-C.
    """
    terminated = False

    def terminate(*_: object) -> None:
        nonlocal terminated
        terminated = True
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, terminate)
    gc.disable()  # until the command's modules are there
    status = run(sys.argv[1:])
    sys.exit(128 + signal.SIGTERM if terminated else status)


def run(arguments: list[str]) -> int:
    """Run one command and give the exit status."""
    try:
        with needed():
            status: Any = cli.main(arguments, prog_name="snnc", standalone_mode=False)
    except InterruptedRun as error:
        _say(str(error))
        return _INTERRUPTED
    except SnncError as error:
        _complain(str(error))
        return 1
    except OSError as error:
        if error.errno not in _FAULTS:
            raise
        what = "A file" if error.filename is None else f"'{error.filename}'"
        _complain(
            f"{what} cannot be read or written: {error.strerror}; make room where the output and the temporary files "
            "(TMPDIR) lie, or choose other places."
        )
        return 1
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo("snnc: interrupted; nothing was left half-written.", err=True)
        return _INTERRUPTED
    return status if isinstance(status, int) else 0


def _complain(text: str) -> None:
    _say(f"error: {text}")


def _say(text: str) -> None:
    # Messages quote from files: nothing in one may end the line or command the terminal.
    message = "".join(character if character.isprintable() else "?" for character in text)
    click.echo(f"snnc: {message}", err=True)
