"""How long a verdict takes: the median and 95th percentile of `grade` on our solution of every exercise, warm.

python benchmarks/check_latency.py
"""

import statistics

from halfbits.grading import grade
from halfbits.grading.exercise import find, load_solutions, units

ROUNDS, ROUNDS_OF_A_TASK = 20, 5
# Seconds for the 95th percentile. A task's checks train some thirty networks.
BOUND, BOUND_OF_A_TASK = 1.0, 15.0


def main() -> None:
    print(f"{'exercise':32} {'median':>8} {'95th':>8}   (seconds; {ROUNDS} rounds, for a task {ROUNDS_OF_A_TASK})")
    for number, unit in enumerate(units()):
        for name, solution in load_solutions(unit).items():
            is_task = number and find(name).next_name is None
            rounds, bound = (ROUNDS_OF_A_TASK, BOUND_OF_A_TASK) if is_task else (ROUNDS, BOUND)
            grade(solution)
            seconds = sorted(grade(solution).seconds for _ in range(rounds))
            median, late = statistics.median(seconds), seconds[round(0.95 * rounds) - 1]
            kept = "kept" if late <= bound else "OVER"
            print(f"{name:32} {median:8.3f} {late:8.3f}   bound {bound:g} s: {kept}", flush=True)


if __name__ == "__main__":
    main()
