"""How fast, how large, how costly: `make bench` measures what docs/performance.md says."""
