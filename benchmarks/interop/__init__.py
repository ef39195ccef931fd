"""Files that kinespan writes, opened by the programs that they are for."""
