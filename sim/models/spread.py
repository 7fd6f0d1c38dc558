"""How a whole number is spread over samples: cycles, or steps where samples may exit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["Spread"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """Of so many samples.

    Attributes
    ----------
    mean, least, most
        Of all.
    median, most_of_99
        What half of the samples, and 99 of 100, do not exceed: each is a value that a sample has.
    """

    mean: float
    least: int
    median: int
    most_of_99: int
    most: int

    @staticmethod
    def of(values: npt.NDArray[np.int64]) -> Spread:
        """Of integers ``(sample,)``, one at least."""
        median, most_of_99 = np.percentile(values, [50, 99], method="inverted_cdf").tolist()
        return Spread(
            mean=float(values.mean()),
            least=int(values.min()),
            median=int(median),
            most_of_99=int(most_of_99),
            most=int(values.max()),
        )

    @property
    def facts(self) -> Mapping[str, float]:
        """For reports and files."""
        return {
            "mean": self.mean,
            "least": self.least,
            "median": self.median,
            "most_of_99_percent": self.most_of_99,
            "most": self.most,
        }

    def __str__(self) -> str:
        return f"mean {self.mean:,.1f}, median {self.median:,}, 99 % at most {self.most_of_99:,}"
