"""Half the Bits: a course on mixed precision, quantization and pruning.

Importing this package loads neither TensorFlow nor pytest; each submodule imports what it needs when it needs it.
"""

__version__ = "0.1.0"
