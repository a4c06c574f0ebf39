"""The whole under load: counts are asserted, times are printed at the end of the run."""
