"""How long a verdict takes: the median and 95th percentile of `grade` on our solution of every exercise, warm.

python benchmarks/check_latency.py
"""

import statistics

from halfbits.grading import grade
from halfbits.grading.exercise import load_solutions, units

ROUNDS = 20


def main() -> None:
    print(f"{'exercise':32} {'median':>8} {'95th':>8}   ({ROUNDS} rounds, seconds)")
    for unit in units():
        for name, solution in load_solutions(unit).items():
            grade(solution)
            seconds = sorted(grade(solution).seconds for _ in range(ROUNDS))
            print(f"{name:32} {statistics.median(seconds):8.3f} {seconds[int(0.95 * ROUNDS) - 1]:8.3f}", flush=True)


if __name__ == "__main__":
    main()
