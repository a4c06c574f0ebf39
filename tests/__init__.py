"""Tests: they mirror the package; helpers that several rooms share are in `tests/fakes`."""
