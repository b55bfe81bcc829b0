"""Refused addresses: judged by their neighbours, and put to the owner when in doubt."""
