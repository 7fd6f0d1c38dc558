"""Do the tests of the Python that computes notice when it computes something else?

    python benchmarks/mutants.py                  12 mutants of each module below, each against that module's own tests
    python benchmarks/mutants.py bound --seed 1   other mutants, of one module
    python benchmarks/mutants.py --list           what would be changed, without running anything

A mutant is the source with one expression changed: a comparison or a sign turned round, an operand left out, another
operator, a number that is one more. Which ones are drawn follows from the seed and the source alone. A copy of the tree
is changed, in a temporary folder, and its tests run there; what survives is printed, to be killed or explained.

Of seed 0, two survive. One changes a type alone (bound). And fit searches with one block RAM less than it says:
memories take several at once, so that the tests' network gets the same plan.
"""

from __future__ import annotations

import argparse
import ast
import copy
import itertools
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
FOLDERS = ("compiler", "distill", "rtl", "sim")

MODULES: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "bound": ("compiler/passes/bound.py", ("tests/compiler/passes/test_bound.py",)),
    "residual": (
        "compiler/plan/residual.py",
        ("tests/compiler/plan/test_residual.py", "tests/compiler/passes/test_bound.py"),
    ),
    "quantise": ("compiler/passes/quantise.py", ("tests/compiler/passes/test_quantise.py",)),
    "memories": (
        "compiler/lanes/memories.py",
        ("tests/compiler/lanes/test_memories.py", "tests/compiler/passes/test_place.py"),
    ),
    "fit": ("compiler/lanes/fit.py", ("tests/compiler/lanes/test_fit.py", "tests/compiler/passes/test_place.py")),
    "golden": ("sim/models/golden.py", ("tests/sim/models/test_golden.py",)),
}
"""By name: a module, and its own tests; a test file that is not there is left out."""

_COMPARED: Mapping[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
}
_COMPUTED: Mapping[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Add,
    ast.FloorDiv: ast.Mult,
    ast.LShift: ast.RShift,
    ast.RShift: ast.LShift,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """The source with one change at a line, and how that reads."""

    line: int
    was: str
    now: str
    source: str


def mutants(source: str, *, seed: int | None = None, count: int = 0) -> list[Mutant]:
    """Mutants of a module in the order of its text: `count` that a seed stands for, or without one all."""
    tree = ast.parse(source)
    nodes = list(ast.walk(tree))
    messages = {
        id(part)
        for node in nodes
        if isinstance(node, ast.Raise | ast.JoinedStr | ast.Assert)
        for part in ast.walk(node)
    }
    # Types are not computed with, and the words of an error are none of its numbers.
    every = [
        (index, changed)
        for index, node in enumerate(nodes)
        if id(node) not in messages and isinstance(node, ast.expr)
        for changed in _changes(node)
    ]
    if seed is not None:
        every = random.Random(seed).sample(every, min(count, len(every)))
    return sorted((_mutant(tree, index, changed) for index, changed in every), key=lambda mutant: mutant.line)


def _mutant(tree: ast.Module, index: int, changed: ast.expr) -> Mutant:
    other = copy.deepcopy(tree)
    target = next(itertools.islice(ast.walk(other), index, None))
    assert isinstance(target, ast.expr)
    was, now = ast.unparse(target), ast.unparse(changed)
    _Exchange(target, ast.copy_location(changed, target)).visit(other)
    return Mutant(line=target.lineno, was=was, now=now, source=ast.unparse(ast.fix_missing_locations(other)))


def _changes(node: ast.expr) -> Iterator[ast.expr]:
    match node:
        case ast.Compare(left, [operator], [right]) if type(operator) in _COMPARED:
            yield ast.Compare(left, [_COMPARED[type(operator)]()], [right])
        case ast.BinOp(left, operator, right) if type(operator) in _COMPUTED and not _is_type(node):
            yield ast.BinOp(left, _COMPUTED[type(operator)](), right)
            yield left
        case ast.UnaryOp(ast.USub(), operand) if not isinstance(operand, ast.Constant):
            yield operand
        case ast.UnaryOp(ast.Not(), operand):
            yield operand
        case ast.BoolOp(ast.And(), values):
            yield ast.BoolOp(ast.Or(), values)
        case ast.BoolOp(ast.Or(), values):
            yield ast.BoolOp(ast.And(), values)
        case ast.Constant(value) if type(value) is int:
            yield ast.Constant(value + 1)
        case ast.Call(ast.Name("min"), arguments, keywords):
            yield ast.Call(ast.Name("max", ast.Load()), arguments, keywords)
        case ast.Call(ast.Name("max"), arguments, keywords):
            yield ast.Call(ast.Name("min", ast.Load()), arguments, keywords)


def _is_type(node: ast.BinOp) -> bool:
    """``int | None``, an annotation."""
    parts = (node.left, node.right)
    return isinstance(node.op, ast.BitOr) and any(
        ast.unparse(part) == "None" or (isinstance(part, ast.Name) and part.id[:1].isupper()) for part in parts
    )


class _Exchange(ast.NodeTransformer):
    def __init__(self, target: ast.AST, changed: ast.expr) -> None:
        self._target = target
        self._changed = changed

    def visit(self, node: ast.AST) -> ast.AST:
        return self._changed if node is self._target else super().generic_visit(node)


def copy_tree(folder: Path) -> None:
    """The code as ``snnc`` in `folder`, and the tests beside it."""
    ignore = shutil.ignore_patterns("__pycache__", ".*")
    for name in FOLDERS:
        shutil.copytree(REPOSITORY / name, folder / name, ignore=ignore)
        (folder / "snnc").mkdir(exist_ok=True)
        (folder / "snnc" / name).symlink_to(folder / name)
    for file in (folder / "compiler" / "api").glob("*.py"):
        (folder / "snnc" / file.name).symlink_to(file)
    shutil.copytree(REPOSITORY / "tests", folder / "tests", ignore=ignore)
    (folder / "examples").symlink_to(REPOSITORY / "examples")
    shutil.copy(REPOSITORY / "pyproject.toml", folder)


def survives(folder: Path, tests: tuple[str, ...], *, timeout: float) -> bool:
    """Whether all tests pass, of the module in `folder`; a run without end is a failure."""
    found = [name for name in tests if (folder / name).exists()]
    # The path comes before what is installed, an editable installation's finder included: that one is asked last.
    environment = {**os.environ, "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
    where = "import snnc.compiler as c, sys; sys.exit(not c.__file__.startswith(sys.argv[1]))"
    subprocess.run([sys.executable, "-c", where, str(folder)], cwd=folder, env=environment, check=True)
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *found]
    try:
        result = subprocess.run(command, cwd=folder, env=environment, capture_output=True, timeout=timeout, check=False)
    except subprocess.TimeoutExpired:
        return False
    return result.returncode == 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("modules", nargs="*", metavar="MODULE", help=f"of {', '.join(MODULES)}; all by default")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--count", type=int, default=12)
    parser.add_argument("--timeout", type=float, default=900, metavar="SECONDS", help="of a module's tests")
    parser.add_argument("--list", action="store_true")
    options = parser.parse_args()
    if unknown := set(options.modules) - MODULES.keys():
        parser.error(f"no such module: {', '.join(sorted(unknown))}")
    survivors = total = 0
    with tempfile.TemporaryDirectory(prefix="snnc-mutants-") as name:
        folder = Path(name)
        copy_tree(folder)
        for module in options.modules or MODULES:
            path, tests = MODULES[module]
            right = (REPOSITORY / path).read_text(encoding="utf-8")
            if not options.list and not survives(folder, tests, timeout=options.timeout):
                sys.exit(f"{module}: its tests fail without any change")
            for mutant in mutants(right, seed=options.seed, count=options.count):
                total += 1
                state = ""
                if not options.list:
                    (folder / path).write_text(mutant.source, encoding="utf-8")
                    alive = survives(folder, tests, timeout=options.timeout)
                    survivors += alive
                    state = "SURVIVES  " if alive else "killed    "
                print(f"{state}{path}:{mutant.line}  {mutant.was}  ->  {mutant.now}", flush=True)
            (folder / path).write_text(right, encoding="utf-8")
    if not options.list:
        print(f"{survivors} of {total} survive")


if __name__ == "__main__":
    main()
