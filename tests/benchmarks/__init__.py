"""Benchmarks: `python -m tests.benchmarks` prints figures and ratios, measured in one run."""
