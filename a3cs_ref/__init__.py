"""A3C-S: automated co-search of deep-RL agents and their FPGA accelerators (Fu et al., DAC 2021), on NumPy."""

from a3cs_hw import __version__

__all__ = ["__version__"]
