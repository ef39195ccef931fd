"""What all tests share: where the real motion lies, and a strict seed of nothing global."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

REAL_MOTION = Path(os.environ.get("KINESPAN_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))


@pytest.fixture(scope="session")
def real_motion() -> Path:
    """The folder of real recordings; tests that ask for it are skipped by name where it is not there."""
    if not REAL_MOTION.is_dir():
        if "KINESPAN_DATA" in os.environ:
            pytest.fail(f"KINESPAN_DATA names {REAL_MOTION}, which is not a folder")
        pytest.skip("real motion is not on this machine (set KINESPAN_DATA to its folder)")
    return REAL_MOTION
