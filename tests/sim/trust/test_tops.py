"""A board's top as the tools left it, at every level that its family allows: minutes of tools, so `make nightly`."""

from __future__ import annotations

import json
import shutil

import pytest

from snnc.compiler import cli

pytestmark = pytest.mark.nightly

LEVELS = {
    "icebreaker": ("gates", "routed", "bitstream"),
    "ulx3s": ("gates", "routed"),
    "tangnano9k": ("gates", "routed", "bitstream"),
}

# The function of one look-up table in the core, by the board: the cell's type, and the parameter.
TABLES = {
    "icebreaker": ("ICESTORM_LC", "LUT_INIT"),
    "ulx3s": ("TRELLIS_COMB", "INITVAL"),
    "tangnano9k": ("LUT4", "INIT"),
}


@pytest.fixture(scope="module", params=LEVELS)
def built(request, repository, tmp_path_factory):
    path = tmp_path_factory.mktemp("built") / request.param
    student = repository / "examples/students/digits-64-32-10-int4.pt"
    assert cli.run(["build", str(student), "--board", request.param, "-o", str(path)]) == 0
    return request.param, path


def verify(path, level):
    return cli.run(["verify", str(path), "--level", level, "--dataset", "digits", "--samples", "5"])


def test_every_level_is_equal_and_flash_says_so(built, capsys):
    board, path = built
    for level in LEVELS[board]:
        if board == "icebreaker" and level == "bitstream" and shutil.which("icebox_vlog") is None:
            continue
        assert verify(path, level) == 0
        assert (path / level / "result.json").exists()
    capsys.readouterr()
    assert cli.run(["flash", str(path), "--dry-run"]) == 0
    assert "netlist of synthesis (5 samples), routed netlist (5 samples)" in capsys.readouterr().out


def test_one_inverted_look_up_table_is_red_and_takes_the_verdict_back(built, capsys):
    board, path = built
    routed = path / json.loads((path / "board" / "result.json").read_text())["routed"]
    good = routed.read_text()
    design = json.loads(good)
    kind, parameter = TABLES[board]
    (module,) = (module for module in design["modules"].values() if module["cells"])
    core = {name: cell for name, cell in module["cells"].items() if name.startswith("core.engine_readout.lanes0")}
    name = min(name for name, cell in core.items() if cell["type"] == kind and "1" in cell["parameters"][parameter])
    table = module["cells"][name]["parameters"]
    table[parameter] = table[parameter].translate(str.maketrans("01", "10"))
    routed.write_text(json.dumps(design))
    try:
        assert verify(path, "routed") == 1
        error = capsys.readouterr().err
        assert "the golden model" in error or "does not answer as a board of this build would" in error
        assert not (path / "routed" / "result.json").exists()
    finally:
        routed.write_text(good)
