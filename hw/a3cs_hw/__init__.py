"""The accelerator as a model: bit-accurate arithmetic, the chunk pipeline with its cycles, golden vectors. Needs NumPy alone."""

__version__ = "0.1.0"
