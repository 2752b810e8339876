"""Harness for every double of a channel: a clock, faults on demand, counters, one server. README.md shows its use."""
