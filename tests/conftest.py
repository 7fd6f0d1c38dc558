"""What every test may use."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

# The same examples in every run, on machines of any speed: a failure must be there again in the next run.
settings.register_profile("snnc", derandomize=True, deadline=None)
# For make nightly and by hand: HYPOTHESIS_PROFILE=explore looks for new examples.
settings.register_profile("explore", deadline=None, max_examples=1000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "snnc"))


@pytest.fixture(scope="session")
def repository() -> Path:
    """The folder that holds pyproject.toml."""
    return Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def data_folder() -> Path | None:
    """The folder named by SNNC_DATA (mnist/, fashion-mnist/), or None. No test may need it: it may only check more."""
    name = os.environ.get("SNNC_DATA")
    return Path(name) if name else None
