"""Times of things that are compared, taken side by side: machines drift, ratios within a round hardly do."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from typing import NamedTuple

__all__ = ["Ratio", "Times", "side_by_side"]


class Ratio(NamedTuple):
    """A ratio of two times over all rounds: the median and the quartiles."""

    median: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.median:.2f} ({self.low:.2f}–{self.high:.2f})"


class Times:
    """Seconds of each run, round by round."""

    def __init__(self, seconds: Mapping[str, list[float]]):
        self.seconds = dict(seconds)

    def median(self, name: str) -> float:
        """The median time of a run in seconds."""
        return statistics.median(self.seconds[name])

    def ratio(self, name: str, to: str) -> Ratio:
        """The time of one run over that of another, round by round: below 1 the first one is faster."""
        ratios = [a / b for a, b in zip(self.seconds[name], self.seconds[to], strict=True)]
        low, middle, high = statistics.quantiles(ratios, n=4, method="inclusive")
        return Ratio(middle, low, high)

    def speedup(self, name: str, over: str) -> Ratio:
        """How many times faster one run is than another: below 1 it is slower."""
        return self.ratio(over, to=name)


def side_by_side(
    runs: Mapping[str, Callable[[], object]], rounds: int = 9, clock: Callable[[], float] = time.perf_counter
) -> Times:
    """Time some functions, one call of each in every round, after a first round that does not count.

    Args:
        runs: what to time, by name. Each must wait for its own result, as a GPU's work goes on after the call.
        rounds: how many rounds count, 2 or more.
        clock: gives the time in seconds.
    """
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(rounds + 1):
        for name, run in runs.items():
            start = clock()
            run()
            seconds[name].append(clock() - start)
    return Times({name: times[1:] for name, times in seconds.items()})
