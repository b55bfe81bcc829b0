"""A self-hosted newsletter service: releases in, one well made digest for each reader out."""

__version__ = "0.1.0"
