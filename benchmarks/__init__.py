"""Measurements of Comptoir, each beside its limit or its peer in the same run. `python -m benchmarks [case …]`."""
