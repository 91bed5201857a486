"""Blind search: x and k found together, with priors on both."""
