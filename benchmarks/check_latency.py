"""How long a verdict takes: the median and 95th percentile of `grade` on our solution of every exercise, warm.

python benchmarks/check_latency.py
"""

import statistics

from halfbits.grading import grade
from halfbits.grading.exercise import find, load_solutions, units

ROUNDS = 20
# Seconds for the 95th percentile. A task's checks train some thirty networks.
BOUND, BOUND_OF_A_TASK = 1.0, 15.0


def main() -> None:
    print(f"{'exercise':32} {'median':>8} {'95th':>8}   ({ROUNDS} rounds, seconds)")
    for number, unit in enumerate(units()):
        for name, solution in load_solutions(unit).items():
            grade(solution)
            seconds = sorted(grade(solution).seconds for _ in range(ROUNDS))
            median, late = statistics.median(seconds), seconds[int(0.95 * ROUNDS) - 1]
            bound = BOUND_OF_A_TASK if number and find(name).next_name is None else BOUND
            kept = "kept" if late <= bound else "OVER"
            print(f"{name:32} {median:8.3f} {late:8.3f}   bound {bound:g} s: {kept}", flush=True)


if __name__ == "__main__":
    main()
