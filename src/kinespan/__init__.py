"""kinespan: find what a person did and when, in 3-D skeleton motion."""

from ._version import __version__

__all__ = ["__version__"]
