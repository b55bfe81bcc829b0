"""Benchmarks of speed, memory and cost: `make bench` measures what docs/performance.md says."""
