"""The browser that acceptance tests share."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from typing import Any

import pytest


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """A headless Chromium; tests that ask for it are skipped where it is not installed."""
    playwright = pytest.importorskip(
        "playwright.sync_api", reason="playwright is not installed (pip install kinespan[test])"
    )
    path = shutil.which("chromium")
    if path is None:
        if os.environ.get("CI", "").lower() == "true":
            pytest.fail("CI must have chromium, and it is not installed")
        pytest.skip("chromium is not installed (apt-get install chromium)")
    with playwright.sync_playwright() as play:
        browser = play.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()
