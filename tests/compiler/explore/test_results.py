"""The file that grows: what is left of it after a kill at any byte."""

from __future__ import annotations

import pytest

from snnc.compiler.errors import BuildError
from snnc.compiler.explore.results import RESULTS, open_results


def test_what_was_added_is_there_again(tmp_path):
    with open_results(tmp_path / "new") as results:
        results.add("a", {"cycles": 3.5})
        assert results["a"] == {"cycles": 3.5}
    with open_results(tmp_path / "new") as results:
        assert "b" not in results
        assert results["a"] == {"cycles": 3.5}


def test_a_file_that_ends_anywhere_goes_on(tmp_path):
    with open_results(tmp_path) as results:
        for name in "abc":
            results.add(name, {"of": name})
    whole = (tmp_path / RESULTS).read_bytes()
    for size in range(len(whole) + 1):
        (tmp_path / RESULTS).write_bytes(whole[:size])
        with open_results(tmp_path) as results:
            for name in "abc":
                if name not in results:
                    results.add(name, {"of": name})
        assert (tmp_path / RESULTS).read_bytes() == whole


@pytest.mark.parametrize("text", ["something else\n", '{"format": "other"}\n', "[]\n", "\n"])
def test_another_file_is_left_alone(tmp_path, text):
    (tmp_path / RESULTS).write_text(text)
    with pytest.raises(BuildError, match="no results of this version"), open_results(tmp_path):
        pass
    assert (tmp_path / RESULTS).read_text() == text


def test_one_at_a_time(tmp_path):
    with open_results(tmp_path), pytest.raises(BuildError, match="Another 'snnc explore'"), open_results(tmp_path):
        pass
