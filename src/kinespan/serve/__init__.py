"""The page of `kinespan view` and `kinespan label`: a server on this computer, whose API docs/page-api.md describes."""
