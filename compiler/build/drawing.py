"""Lines and areas of the pages' pictures, as the paths of SVG."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["Scale", "areas", "line", "ticks"]


class Scale:
    """From values to places, with room at both ends where that is asked for."""

    def __init__(self, values: Sequence[float], low: float, high: float, *, room: float = 0.0) -> None:
        least, most = min(values, default=0.0), max(values, default=1.0)
        if least == most:
            least, most = least - 0.5, most + 0.5
        more = room * (most - least)
        self.least, self.most = least - more, most + more
        self._low, self._high = low, high

    def __call__(self, value: float) -> float:
        share = (value - self.least) / (self.most - self.least)
        return round(self._low + share * (self._high - self._low), 2)


def ticks(scale: Scale, most: int = 5) -> list[float]:
    """Round values along a scale."""
    raw = (scale.most - scale.least) / most
    power = 10.0 ** (len(f"{raw:.0f}") - 1 if raw >= 1 else -next(k for k in range(1, 30) if raw * 10**k >= 1))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= raw)
    first = -(-scale.least // step)
    found = [round((first + k) * step, 9) for k in range(most + 2)]
    return [value for value in found if scale.least <= value <= scale.most]


def line(xs: Sequence[float], ys: Sequence[float], across: Scale, up: Scale) -> str:
    """Through all points, in their order."""
    return "".join(f"{'L' if k else 'M'}{across(x):g},{up(y):g}" for k, (x, y) in enumerate(zip(xs, ys, strict=True)))


def areas(counts: Sequence[Sequence[int]], *, stretch: int, total: int, height: float) -> list[str]:
    """Shares stacked from the bottom up, a path for each, over stretches of equal length but the last.

    Parameters
    ----------
    counts
        ``(stretch, share)``; each row adds up to the length of its stretch.
    stretch, total
        Length of each, and of all.
    """
    shares = len(counts[0]) if counts else 0
    paths = []
    for share in range(shares):
        path = ""
        for k, row in enumerate(counts):
            if not row[share]:
                continue
            length, below = sum(row), sum(row[:share])
            begin, end = k * stretch, min(total, (k + 1) * stretch)
            top, bottom = height * (1 - (below + row[share]) / length), height * (1 - below / length)
            path += f"M{begin},{bottom:.3g}V{top:.3g}H{end}V{bottom:.3g}Z"
        paths.append(path)
    return paths
