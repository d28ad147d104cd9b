"""The checks of every exercise: one folder a unit, one file an exercise.

A check file reads from top to bottom: the contract in one line, the properties (pytest tests that get the
learner's function as the fixture ``answer``), the misconceptions, the hints. It may also set

- ``FORBIDDEN``: modules that an answer may not reach and dtype names it may not write;
- ``SECONDS``: the time that all its calls may take together, 10 by default;
- ``REPLAY_SECONDS``: the time that the calls of one misconception may take in a diagnosis, 10 by default;
- ``SHOW``: how reports show an argument, by its position;
- ``use(answer, *arguments)``: how to exercise an answer that is not simply called, such as a class.
"""

#: The units in the order of the course.
UNITS = ("number_formats", "mixed_precision", "quantization", "pruning")
