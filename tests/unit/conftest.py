"""What tests of networks ask for: one thread, and a seed that ends with the test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch


@pytest.fixture
def one_thread() -> Iterator[None]:
    """One thread for the length of a test."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def seeded() -> Iterator[None]:
    """The global generator at seed 0 for the length of a test, and then as it was."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield
