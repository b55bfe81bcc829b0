"""A self-hosted newsletter service. It turns releases into one digest for each subscriber."""

__version__ = "0.1.0"
