"""halfbits.measure with a clock of our own, so that nothing here depends on the machine's speed."""

import pytest

from halfbits.measure import Ratio, Times, side_by_side


class Clock:
    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


def test_runs_take_turns_and_the_first_round_does_not_count():
    clock, order = Clock(), []

    def run(name, first, later):
        order.append(name)
        clock.now += first if order.count(name) == 1 else later

    times = side_by_side({"a": lambda: run("a", 100, 2), "b": lambda: run("b", 50, 4)}, rounds=3, clock=clock)
    assert order == ["a", "b"] * 4
    assert times.seconds == {"a": [2, 2, 2], "b": [4, 4, 4]}


def test_ratios_are_taken_within_a_round():
    # The machine becomes ten times slower half-way: each median jumps, the ratio does not.
    times = Times({"a": [1, 1, 10, 10], "b": [2, 2, 20, 20]})
    assert times.median("a") == 5.5
    assert times.ratio("b", to="a") == (2, 2, 2)
    assert times.speedup("a", over="b") == (2, 2, 2)
    assert times.speedup("b", over="a") == (0.5, 0.5, 0.5)


def test_median_and_quartiles():
    times = Times({"a": [1, 2, 3, 4, 5], "one": [1] * 5})
    assert times.ratio("a", to="one") == Ratio(3, 2, 4)
    assert str(times.ratio("a", to="one")) == "3.00 (2.00–4.00)"


def test_an_unknown_run_is_an_error():
    with pytest.raises(KeyError):
        Times({"a": [1, 2]}).median("b")
