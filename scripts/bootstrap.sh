#!/usr/bin/env bash
# Makes the virtual environment that the Makefile's other commands run in. Called by make, with
#   PYTHON  the interpreter to start from,   VENV  the folder to make,   STAMP  the file that records success.
set -euo pipefail

fail() {
    echo "snnc set-up: $1" >&2
    exit 1
}

# Each prerequisite by name, before anything is installed, with what to do about it.
command -v "$PYTHON" >/dev/null ||
    fail "'$PYTHON' was not found: install Python 3.11 or newer (Debian: apt install python3 python3-venv), or say make PYTHON=..."
"$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
    fail "'$PYTHON' is $("$PYTHON" -V 2>&1), but Python 3.11 or newer is needed: install it, or say make PYTHON=python3.11"
"$PYTHON" -c 'import ensurepip, venv' 2>/dev/null ||
    fail "Python's venv module is missing: apt install python3-venv (or your system's package with that module)"
command -v g++ >/dev/null || fail "g++ was not found, and Verilator's models are compiled with it: apt install g++"
command -v make >/dev/null || fail "make was not found, and Verilator's models are built with it: apt install make"
command -v perl >/dev/null || fail "perl was not found, and Verilator is started by a perl script: apt install perl"

# An interrupted set-up may have left an interpreter without pip: make it again, it only adds what is missing.
if ! "$VENV/bin/python" -m pip --version >/dev/null 2>&1; then
    echo "snnc set-up: making $VENV"
    "$PYTHON" -m venv "$VENV" || fail "$PYTHON could not make $VENV: see the lines above"
fi

echo "snnc set-up: installing the packages of constraints.txt into $VENV (some minutes the first time)"
pip=("$VENV/bin/python" -m pip --disable-pip-version-check)
# The build back end first, at its pinned version: an isolated build would fetch one outside the constraints.
"${pip[@]}" install --quiet --constraint constraints.txt setuptools ||
    fail "pip could not install setuptools: is a package index reachable? see the lines above"
"${pip[@]}" install --quiet --constraint constraints.txt --no-build-isolation --editable '.[all,docs,dev]' ||
    fail "pip could not install the packages: see the lines above; the next run goes on from here"

# cocotb loads Python into the simulator, so it needs the shared library that Debian packages apart from python3.
"$VENV/bin/python" -c 'import sys, find_libpython; sys.exit(find_libpython.find_libpython() is None)' ||
    fail "Python's shared library (libpython3.x.so) was not found, and cocotb needs it: apt install libpython3.11"

touch "$STAMP"
