"""Changes of a corpus by anybody, such as a command in another window, are told to the browsers."""

from __future__ import annotations

import asyncio

from starlette.concurrency import run_in_threadpool

from ..errors import InputError
from .state import Page

POLL_SECONDS = 0.5


async def watch_sets(page: Page) -> None:
    """Look twice a second which sets have another version, and publish `change` for each; runs until cancelled.

    A change that the API made was told with its recordings already; browsers pass over a version that they know. A
    corpus that was prepared again or extended is opened anew.
    """
    if page.sets is None:
        return
    versions: dict[str, int] = await run_in_threadpool(_versions, page, {})
    while True:
        await asyncio.sleep(POLL_SECONDS)
        before, versions = versions, await run_in_threadpool(_versions, page, versions)
        for name, version in versions.items():
            if before.get(name) != version:
                data = {"set": name, "version": version, "recordings": None, "labels": True, "author": ""}
                page.live.publish("change", data)
        if await run_in_threadpool(_refreshed, page) or before.keys() != versions.keys():
            page.live.publish("recordings", {})


def _versions(page: Page, before: dict[str, int]) -> dict[str, int]:
    """The version of each set; as before where they cannot be read now, such as while a corpus is prepared again."""
    assert page.sets is not None
    try:
        return {info.name: page.sets.version(info.name) for info in page.sets.infos}
    except (InputError, OSError):  # whoever asks for the set itself is told
        return before


def _refreshed(page: Page) -> bool:
    """Whether the corpus was opened anew; not while it is being replaced."""
    try:
        return page.workspace.refresh_corpus()
    except (InputError, OSError):
        return False
