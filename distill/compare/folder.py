"""``compare.json``: what is compared in a folder, so that the same command goes on and another one is refused."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final, TypeVar

from snnc.compiler.build.folder import replace_file
from snnc.compiler.errors import OptionError
from snnc.distill.compare.plan import Comparison, parse_method

__all__ = ["begin", "read_comparison"]

_FILE: Final = "compare.json"
_FORMAT: Final = "snnc-comparison"
_VERSION: Final = 2

_Item = TypeVar("_Item")


def begin(output: Path, comparison: Comparison) -> Comparison:
    """Note down what is compared in `output`, or go on with what is compared there.

    Methods, students, seeds and values of what is varied may be added to a comparison; the options that all runs share,
    and what the files hold that are named, may not change.

    Returns
    -------
    All that is compared in the folder now.
    """
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OptionError(f"'{output}' cannot be made: {error.strerror or error}; choose another with -o.") from None
    if (output / _FILE).exists():
        before = read_comparison(output)
        _check_equal(output, before, comparison)
        comparison = replace(
            before,
            methods=_union(before.methods, comparison.methods),
            architectures=_union(before.architectures, comparison.architectures),
            seeds=_union(before.seeds, comparison.seeds),
            axes={name: _union(values, comparison.axes[name]) for name, values in before.axes.items()},
            files={**before.files, **comparison.files},
        )
        if comparison == before:
            return before
    contents = {
        "format": _FORMAT,
        "version": _VERSION,
        "shared": comparison.shared,
        "files": comparison.files,
        "methods": [method.label for method in comparison.methods],
        "architectures": comparison.architectures,
        "seeds": comparison.seeds,
        "axes": comparison.axes,
        "data": comparison.data,
        "title": comparison.title,
        "versions": comparison.versions,
        "train_images": comparison.train_images,
        "validation_images": comparison.validation_images,
        "test_images": comparison.test_images,
    }
    replace_file(output / _FILE, json.dumps(contents, indent=2).encode() + b"\n")
    return comparison


def read_comparison(output: Path) -> Comparison:
    """What is compared in a folder."""
    path = output / _FILE
    try:
        contents = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise OptionError(f"'{output}' holds no comparison (it has no {_FILE}); begin one without --collect.") from None
    except (OSError, ValueError) as error:
        raise OptionError(f"'{path}' cannot be read ({error}); choose another folder with -o.") from None
    if not isinstance(contents, dict) or (contents.get("format"), contents.get("version")) != (_FORMAT, _VERSION):
        raise OptionError(f"'{path}' is not of {_FORMAT} version {_VERSION}; choose another folder with -o.")
    return Comparison(
        shared={name: tuple(words) for name, words in contents["shared"].items()},
        files=contents["files"],
        methods=tuple(parse_method(label) for label in contents["methods"]),
        architectures=tuple(contents["architectures"]),
        seeds=tuple(contents["seeds"]),
        train_images=contents["train_images"],
        validation_images=contents["validation_images"],
        test_images=contents["test_images"],
        data=contents["data"],
        title=contents.get("title", ""),
        versions=contents["versions"],
        axes={name: tuple(values) for name, values in contents["axes"].items()},
    )


def _check_equal(output: Path, before: Comparison, now: Comparison) -> None:
    changes = [
        (_spoken(name, before.shared), _spoken(name, now.shared))
        for name in sorted(before.shared.keys() | now.shared.keys())
        if before.shared.get(name) != now.shared.get(name)
    ]
    changes += [
        (f"with another file for {option}", f"with {now.files[option]}")
        for option in before.files
        if before.files[option] != now.files.get(option, before.files[option])  # no file: another option, above
    ]
    if [*before.axes] != [*now.axes]:
        varied = [f"varying {' and '.join(one.axes) or 'nothing'}" for one in (before, now)]
        changes.append((varied[0], varied[1]))
    for part in ("train", "validation", "test"):
        then, today = (getattr(one, f"{part}_images") for one in (before, now))
        if then != today:
            changes.append((f"with {then:,} {part} images", f"with {today:,}"))
    if before.data != now.data:
        changes.append(("with other images or labels", "with these"))
    if changes:
        begun, asked = changes[0]
        raise OptionError(
            f"The comparison in '{output}' was begun {begun}, but now it is {asked}: the budget must be the same for "
            "all; use the options it was begun with, or another folder with -o."
        )


def _spoken(name: str, shared: Mapping[str, Sequence[str]]) -> str:
    return f"with {' '.join(shared[name])}" if name in shared else f"without --{name.replace('_', '-')}"


def _union(first: Iterable[_Item], second: Iterable[_Item]) -> tuple[_Item, ...]:
    return tuple(dict.fromkeys((*first, *second)))
