"""What a tool is: where it comes from, what stands in its place, and how it is started."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import shutil
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from snnc.compiler.errors import ToolError
from snnc.compiler.extras import install_command
from snnc.compiler.tools.cache import yowasp_environment

__all__ = ["NativeTool", "Tool", "native_tool", "tool_versions", "yowasp_tool"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """Where one tool comes from.

    Attributes
    ----------
    title
        What people call it; used in messages.
    module, distribution
        The Python module that holds it, and the package that pip installs it from.
    extra
        The extra of this package that brings it; None where every installation has it.
    variable
        The environment variable that names a native tool instead.
    launch
        Python code that runs the tool of the wheel with ``sys.argv[1:]``.
    environment
        What to add to the environment of a run; None for nothing.
    """

    title: str
    module: str
    distribution: str
    extra: str | None = None
    variable: str
    launch: str
    environment: Callable[[], Mapping[str, str]] | None = None

    @property
    def native_name(self) -> str | None:
        """The native program that the environment asks for in its place."""
        return os.environ.get(self.variable) or None

    def native(self) -> Path:
        """The native program itself.

        Raises
        ------
        ToolError
            It is not where the variable says.
        """
        wanted = os.environ[self.variable]
        found = shutil.which(wanted)
        if found is None:
            raise ToolError(
                f"{self.title} was not found at {wanted!r}, where {self.variable} says it is: correct the variable, "
                f"or unset it to use the package {self.distribution}."
            )
        return Path(found).absolute()  # the tool runs in another folder; not resolved: a link may name the tool

    def package_folder(self) -> Path:
        """The folder of the package that holds it.

        Raises
        ------
        ToolError
            It is not installed.
        """
        found = importlib.util.find_spec(self.module)
        if found is None or found.origin is None:
            install = f"'pip install {self.distribution}'" if self.extra is None else install_command(self.extra)
            raise ToolError(
                f"{self.title} is missing: install it with {install}, or name a native one in {self.variable}."
            )
        return Path(found.origin).parent

    def command(self) -> list[str]:
        """How a run of it begins.

        Raises
        ------
        ToolError
            It is missing.
        """
        if self.native_name:
            return [str(self.native())]
        self.package_folder()  # raises where it is missing, before a process fails with a traceback
        # -P: a file called pyosys.py in the working folder must not be imported in the place of the package.
        return [sys.executable, "-P", "-c", self.launch]


class NativeTool(Tool):
    """A program that no wheel has: what asks for it takes the one on the PATH, or where its variable says."""

    def command(self) -> list[str]:
        if self.native_name:
            return [str(self.native())]
        found = shutil.which(self.title)
        if found is None:
            raise ToolError(
                f"{self.title} is missing, and no wheel has it: install it with 'apt-get install {self.distribution}' "
                f"or its like, or name it in {self.variable}."
            )
        return [found]


def native_tool(title: str, *, package: str) -> NativeTool:
    """A program of one of Debian's packages."""
    return NativeTool(
        title=title,
        module="",
        distribution=package,
        variable=f"SNNC_{title.upper().replace('-', '_')}",
        launch="",
    )


def yowasp_tool(title: str, *, module: str, extra: str | None = None) -> Tool:
    """nextpnr or a packer from the wheels that hold it as WebAssembly, of which one has all of a family's."""
    name = title.upper().replace("-", "_")
    return Tool(
        title=title,
        module=module,
        distribution=module.replace("_", "-"),
        extra=extra,
        variable=f"SNNC_{name}",
        launch=f"import sys, {module} as tools\nsys.exit(tools.run_{name.lower()}(sys.argv[1:]))",
        environment=yowasp_environment,
    )


def tool_versions(tools: Iterable[Tool]) -> dict[str, str]:
    """By name, package and version of each tool, or the native program in its place, or ``missing``; for reports."""
    versions = {}
    for tool in tools:
        name = tool.title.lower()
        if native := tool.native_name:
            versions[name] = f"{native} ({tool.variable})"
            continue
        if isinstance(tool, NativeTool):
            versions[name] = shutil.which(tool.title) or "missing"
            continue
        try:
            versions[name] = f"{tool.distribution} {importlib.metadata.version(tool.distribution)}"
        except importlib.metadata.PackageNotFoundError:
            versions[name] = "missing"
    return versions
