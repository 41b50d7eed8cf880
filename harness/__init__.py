"""The benchmark harness: grids, cells, engines, training, evaluation, measurement and the command line."""

__version__ = "0.1.0"
