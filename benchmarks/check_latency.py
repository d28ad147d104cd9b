"""How long a verdict takes: the median and 95th percentile of `grade` on our solution of every exercise, warm.

    python benchmarks/check_latency.py [ROUNDS]

The default is 20 rounds; with fewer, the slowest stands for the 95th percentile.
"""

import math
import statistics
import sys

from halfbits.grading import grade
from halfbits.grading.exercise import find, load_solutions, units
from halfbits.quiet import import_tensorflow

ROUNDS = 20
# Seconds for the 95th percentile. A task's checks train some thirty networks.
BOUND, BOUND_OF_A_TASK = 1.0, 15.0


def main() -> None:
    rounds = int(sys.argv[1]) if sys.argv[1:] else ROUNDS
    print(f"{'exercise':32} {'median':>8} {'95th':>8}   (seconds; {rounds} rounds)")
    for number, unit in enumerate(units()):
        if number:  # the first unit does without
            import_tensorflow()
        for name, solution in load_solutions(unit).items():
            is_task = number and find(name).next_name is None
            bound = BOUND_OF_A_TASK if is_task else BOUND
            grade(solution)
            seconds = sorted(grade(solution).seconds for _ in range(rounds))
            median, late = statistics.median(seconds), seconds[math.ceil(0.95 * rounds) - 1]
            kept = "kept" if late <= bound else "OVER"
            print(f"{name:32} {median:8.3f} {late:8.3f}   bound {bound:g} s: {kept}", flush=True)


if __name__ == "__main__":
    main()
