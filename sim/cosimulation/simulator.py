"""Builds and runs the emitted Verilog in Verilator under cocotb. The one file that knows cocotb's runner.

Executables are cached by a hash of everything that goes into them: memory images are read when a simulation starts, so
networks of the same plan share one. Verilator's own run-time library, most of a build's time, is compiled once. An
executable outlives the Python environment that it was linked in: it runs with cocotb's libraries of the one that calls.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import logging
import os
import shutil
import tempfile
import threading
import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from snnc.compiler.build.folder import Build
from snnc.compiler.errors import ToolError, VerificationError
from snnc.compiler.tools import (
    VERILATOR,
    cache_folder,
    check_room,
    relevant_line,
    run_to_end,
    tool_versions,
    verilator_environment,
)
from snnc.sim.cosimulation.harness import HARNESS_TOP, Capture, harness_verilog, read_capture, write_stimulus
from snnc.sim.cosimulation.patience import patience
from snnc.sim.cosimulation.recording import Field, Recording, read_recording, recorded_fields
from snnc.sim.models.stimulus import Stimulus

__all__ = ["Executable", "build_executable", "prepare", "record", "run_bench", "simulate", "simulated", "store"]

_BENCH: Final = "snnc.sim.cosimulation.benches.self_driving"
_WAIVERS: Final = Path(__file__).parent / "verilator.vlt"

_ARGUMENTS: Final = (
    "-O3",
    # Registers without a reset start with random values: what depends on one differs from run to run.
    "--x-initial",
    "unique",
    # cocotb makes every signal public, which keeps Verilator from optimising anything: a third of the speed.
    "--no-public-flat-rw",
    "--public-depth",
    "1",
    "--timing",
    # The wheel was configured without a compiler at hand and does not know how to ask for coroutines.
    "-CFLAGS",
    "-std=c++20 -fcoroutines",
)
# For the same reason it does not know how to include a precompiled header: one compilation unit needs none of its own.
_MAKE_VARIABLES: Final = {True: "VM_PARALLEL_BUILDS=0 OPT_FAST=-O2", False: "VM_PARALLEL_BUILDS=0 OPT_FAST=-O0"}
"""By whether the simulation is optimised."""

_RUNTIME: Final = ("verilated", "verilated_dpi", "verilated_vpi", "verilated_threads", "verilated_timing")

# To read the headers of Verilator's library takes half the time of a small simulation's compilation.
_HEADER: Final = "snnc_headers.h"
_HEADER_TEXT: Final = "".join(
    f'#include "{name}.h"\n' for name in ("verilated", "verilated_dpi", "verilated_timing", "verilated_vpi")
)
_HEADER_RULE: Final = f"""\
include Vtop.mk
{_HEADER}.gch: {_HEADER}
\t$(CXX) $(CXXFLAGS) $(CPPFLAGS) $(OPT_FAST) -x c++-header -o $@ $<
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Executable:
    """A compiled simulation: the folder it lies in, and the Verilog module at its top."""

    folder: Path
    top: str


def simulate(
    build: Build,
    stimulus: Stimulus,
    *,
    longest: int,
    overlap: bool = False,
    seed: int = 1,
    optimised: bool = True,
) -> Capture:
    """Send `stimulus` through the core of `build` and capture everything that it does.

    Parameters
    ----------
    longest
        Predicted cycles of the longest sample; the core counts as hung after several times as many without an
        input beat or a sample's end.
    overlap
        Send a sample while the one before is still in the core, the first right after the reset, and half of them with
        gaps and stalls. Values must not change; cycles then count from the start of the run to each sample's end.
    seed
        Of the values that registers without a reset start with.
    optimised
        As of `prepare`.

    Raises
    ------
    ToolError
        Verilator is missing or failed.
    VerificationError
        The core hangs, or does not give what a run must give.
    """
    with simulated(build, stimulus, longest=longest, overlap=overlap, seed=seed, optimised=optimised) as work:
        return read_capture(build.plan, work, samples=len(stimulus), time_steps=stimulus.time_steps)


@contextlib.contextmanager
def simulated(
    build: Build, stimulus: Stimulus, *, longest: int, overlap: bool = False, seed: int = 1, optimised: bool = True
) -> Iterator[Path]:
    """The folder of what the bench wrote, for as long as the block lasts; the parameters are those of `simulate`."""
    executable = prepare(build, optimised=optimised)
    with tempfile.TemporaryDirectory(prefix="snnc-") as name:
        work = Path(name)
        _drive(executable, build, stimulus, work, longest=longest, overlap=overlap, seed=seed)
        yield work


def record(build: Build, stimulus: Stimulus, *, longest: int, seed: int = 1) -> Recording:
    """Send `stimulus` through the core of `build`, one sample after the other, and record every cycle.

    A core that hangs, or gives too little or too much, is recorded up to its end: whether it is right is for `simulate`
    to say. The parameters are those of `simulate`.

    Raises
    ------
    ToolError
        Verilator is missing or failed.
    """
    core = "".join(path.read_text(encoding="utf-8") for path in build.core_verilog)
    fields = recorded_fields(build.plan, core)
    executable = prepare(build, optimised=False, recorded=fields)
    with tempfile.TemporaryDirectory(prefix="snnc-") as name:
        work = Path(name)
        with contextlib.suppress(VerificationError):
            _drive(executable, build, stimulus, work, longest=longest, overlap=False, seed=seed)
        return read_recording(fields, work)


def _drive(
    executable: Executable, build: Build, stimulus: Stimulus, work: Path, *, longest: int, overlap: bool, seed: int
) -> None:
    """Run the self-driving bench; what it writes is in `work`."""
    write_stimulus(build.plan, stimulus, work / "stimulus.bin")
    plusargs = [
        *(f"+work={work}", f"+samples={len(stimulus)}"),
        f"+patience={patience(build.plan, stimulus, longest)}",
        *("+verilator+rand+reset+2", f"+verilator+seed+{seed}"),
    ]
    run_bench(executable, _BENCH, cwd=build.path, plusargs=[*plusargs, *(["+overlap"] if overlap else [])])
    check_room("The simulation", [work])  # what it could not write must not count as lost by the hardware


def prepare(build: Build, *, optimised: bool = True, recorded: tuple[Field, ...] = ()) -> Executable:
    """Compile the self-driving bench of a build, unless it is in the cache.

    Without `optimised` that takes half the time, and a simulation several times as long. What is `recorded` has a
    compilation of its own, so that it costs nothing where nobody asks for it.
    """
    generated = {"harness.v": harness_verilog(build.plan, recorded)}
    return build_executable(build.core_verilog, generated, HARNESS_TOP, optimised=optimised)


def build_executable(
    sources: Sequence[Path], generated: Mapping[str, str], top: str, *, optimised: bool = True
) -> Executable:
    """Compile Verilog files and generated Verilog texts; from the cache if it was done before."""
    texts = [path.read_text(encoding="utf-8") for path in sources]
    key = hashlib.sha256()
    for part in (
        *texts,
        *generated.values(),
        _WAIVERS.read_text(),
        top,
        *_ARGUMENTS,
        _MAKE_VARIABLES[optimised],
        *tool_versions([VERILATOR]).values(),
    ):
        key.update(part.encode() + b"\0")
    folder = cache_folder() / "simulation" / key.hexdigest()[:32]
    executable = Executable(folder=folder, top=top)
    if (folder / top).exists():
        return executable
    # Not in the cache: make cannot build in a folder with a space in its path, which a user's home may have.
    with tempfile.TemporaryDirectory(prefix="snnc-") as name:
        work = Path(name)
        for source, text in zip(sources, texts, strict=True):
            (work / source.name).write_text(text, encoding="utf-8")
        for file, text in generated.items():
            (work / file).write_text(text, encoding="utf-8")
        _compile(work, [source.name for source in sources] + list(generated), top, _MAKE_VARIABLES[optimised])
        store([work / "objects" / top], folder)
    return executable


def _compile(work: Path, files: Sequence[str], top: str, make_variables: str) -> None:
    from cocotb_tools.runner import VerilatorControlFile

    objects = work / "objects"
    objects.mkdir()
    # Designs with delays (benches that make their own clock) and without need the library compiled differently.
    delays = any("always #" in (work / file).read_text(encoding="utf-8") for file in files)
    runtime = (
        cache_folder()
        / "runtime"
        / hashlib.sha256(
            "\0".join((str(delays), *_ARGUMENTS, make_variables, *tool_versions([VERILATOR]).values())).encode()
        ).hexdigest()[:32]
    )
    for module in _RUNTIME:
        if (runtime / f"{module}.o").exists():
            shutil.copyfile(runtime / f"{module}.o", objects / f"{module}.o")
            # Else make would find it older than the makefile that is about to be written.
            later = time.time() + 3600
            os.utime(objects / f"{module}.o", (later, later))
    compiled = runtime / f"{_HEADER}.gch"
    (objects / _HEADER).write_text(_HEADER_TEXT, encoding="utf-8")
    arguments = list(_ARGUMENTS)
    if compiled.exists():
        # Where another compiler cannot use it, it reads the text.
        (objects / compiled.name).symlink_to(compiled)
        arguments += ["-CFLAGS", f"-include {_HEADER}"]
    log = work / "build.log"
    # A compiler that is stopped cannot remove its own temporary files: they go where all of this goes.
    variables = verilator_environment() | {"MAKEFLAGS": make_variables, "TMPDIR": str(work)}
    commands = _commands(
        variables,
        lambda runner: runner.build(
            sources=[VerilatorControlFile(_WAIVERS), *(work / file for file in files)],
            hdl_toplevel=top,
            build_dir=objects,
            build_args=arguments,
            timescale=("1ns", "1ps"),
            always=True,
        ),
    )
    if commands.run(log) != 0:
        check_room(VERILATOR.title, [work])
        raise ToolError(f"Verilator failed: {relevant_line(log.read_text(errors='replace'))} (log: {_keep(log)}).")
    if not (runtime / "verilated.o").exists():
        made = [path for module in _RUNTIME if (path := objects / f"{module}.o").exists()]
        store([*made, *_compiled_header(objects, variables)], runtime)


def _compiled_header(objects: Path, variables: Mapping[str, str]) -> list[Path]:
    """Verilator's headers, compiled in the folder of a finished simulation as that was; nothing if that fails."""
    (objects / "headers.mk").write_text(_HEADER_RULE, encoding="utf-8")
    compiled = objects / f"{_HEADER}.gch"
    with (objects / "headers.log").open("wb") as log:
        command = ["make", "-f", "headers.mk", compiled.name]
        status = run_to_end(command, cwd=objects, environment=os.environ | variables, stream=log)
    return [] if status else [compiled]


def store(files: Sequence[Path], folder: Path) -> None:
    """Copy files to a new folder of the cache, which appears whole or not at all."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".", suffix=".part", dir=folder.parent) as name:
            filled = Path(name) / "filled"
            filled.mkdir()
            for file in files:
                shutil.copy(file, filled)
            # Somebody else may have finished the same one meanwhile.
            with contextlib.suppress(OSError):
                filled.rename(folder)
    except OSError as error:
        raise ToolError(
            f"The cache '{folder.parent}' cannot be written: {error.strerror or error}; name another in SNNC_CACHE."
        ) from None


def run_bench(
    executable: Executable,
    module: str,
    *,
    cwd: Path,
    plusargs: Sequence[str] = (),
    environment: Mapping[str, str] | None = None,
) -> None:
    """Run the cocotb bench `module` in folder `cwd`, where the core finds its memory images.

    Raises
    ------
    VerificationError
        A test of the bench failed; the message quotes it.
    ToolError
        The simulation itself failed.
    """
    with tempfile.TemporaryDirectory(prefix="snnc-") as name:
        log, results = Path(name) / "simulation.log", Path(name) / "results.xml"
        commands = _commands(
            verilator_environment() | _library_path(),
            lambda runner: runner.test(
                test_module=module,
                hdl_toplevel=executable.top,
                build_dir=executable.folder,
                hdl_toplevel_lang="verilog",
                test_dir=cwd,
                plusargs=list(plusargs),
                extra_env=dict(environment or {}),
                results_xml=str(results),
            ),
        )
        status = commands.run(log)
        # A failing bench ends the simulator with an error of its own; what the bench says counts more.
        if status == 0 or results.exists():
            _check_results(results, log)
        if status != 0:
            text = log.read_text(errors="replace")
            raise ToolError(f"The simulation ended early: {relevant_line(text)} (log: {_keep(log)}).")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Commands:
    """What cocotb's runner would run, where, and with which environment variables."""

    commands: Sequence[Sequence[str]]
    folder: Path
    environment: Mapping[str, str]

    def run(self, log: Path) -> int:
        """Run one after the other until one fails, and all that they start ends with them; the last one's status."""
        with log.open("wb") as stream:
            for command in self.commands:
                status = run_to_end(command, cwd=self.folder, environment=self.environment, stream=stream)
                if status != 0:
                    return status
        return 0


class _Prepared(Exception):
    """Leaves cocotb's runner where it would run its commands."""

    def __init__(self, commands: _Commands) -> None:
        self.commands = commands


_preparing: Final = threading.Lock()


def _commands(variables: Mapping[str, str], call: Callable[[Any], object]) -> _Commands:
    """The commands of a call of cocotb's runner, which takes this process's environment, and those `variables`.

    One at a time, since the environment is the whole process's; what runs is not held up by it.
    """
    from cocotb_tools.runner import Verilator

    class Runner(Verilator):
        def _execute_cmds(self, cmds: Sequence[Sequence[str]], cwd: Any, stdout: Any = None) -> None:
            raise _Prepared(_Commands(commands=cmds, folder=Path(cwd), environment=dict(self.env)))

    with _preparing, _quiet(), _environment(variables):
        try:
            call(Runner())
        except _Prepared as prepared:
            return prepared.commands
        except (RuntimeError, SystemExit) as error:
            raise ToolError(f"{VERILATOR.title} failed: {error}.") from None
    raise AssertionError("cocotb's runner ran nothing")


def _library_path() -> dict[str, str]:
    """The variable that names this environment's cocotb before the one whose path was linked into an executable."""
    from cocotb_tools.config import libs_dir

    return {"LD_LIBRARY_PATH": os.pathsep.join(filter(None, (str(libs_dir), os.environ.get("LD_LIBRARY_PATH"))))}


def _check_results(results: Path, log: Path) -> None:
    if not results.exists():
        raise ToolError(f"The simulation left no results (log: {_keep(log)}).")
    cases = list(ElementTree.parse(results).getroot().iter("testcase"))
    if not cases:
        raise ToolError(f"The simulation ran no test (log: {_keep(log)}).")
    for case in cases:
        for failure in (*case.iter("failure"), *case.iter("error")):
            text = failure.get("error_msg") or failure.get("message") or failure.text or "no reason was given"
            raise VerificationError(f"Bench '{case.get('name')}' failed: {text.strip()} (log: {_keep(log)}).")


def _keep(log: Path) -> Path:
    """Move a log out of its temporary folder."""
    if not log.exists():
        return log
    folder = cache_folder() / "logs"
    folder.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f"{log.stem}-", suffix=".log", dir=folder)
    os.close(handle)
    return Path(shutil.copyfile(log, name))


@contextlib.contextmanager
def _environment(variables: Mapping[str, str]) -> Iterator[None]:
    """Set environment variables for a while: the runner passes on its own process's, an outer make's flags included."""
    before = {name: os.environ.get(name) for name in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL", *variables)}
    for name in before:
        os.environ.pop(name, None)
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep the runner's own messages off the terminal; its output goes to log files."""
    logger: Any = logging.getLogger()
    level = logger.level
    logging.disable(logging.CRITICAL)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        logging.disable(logging.NOTSET)
        logger.setLevel(level)
