"""For the checks: many calls held at once, and how close float32 comes."""

from __future__ import annotations

from collections.abc import Callable, Iterable

#: How far float32 arithmetic may be off, relative to the numbers that it works with.
CLOSE = 1e-6


def hold_each(answer, cases: Iterable[tuple], hold: Callable) -> None:
    """Call the answer on every case and hold each call; the first that fails is reported once all have been made."""
    first = None
    for case in cases:
        call = answer(*case)
        try:
            hold(call)
        except AssertionError as mismatch:
            first = first or mismatch
    if first:
        raise first
