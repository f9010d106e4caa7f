"""The load generator and the benchmark suite behind `fazt bench`."""
