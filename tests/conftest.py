"""Set up before any test is collected."""

import os
import re

import pytest

# assertions of the helpers say what they compared, as those of tests do
pytest.register_assert_rewrite("support")

# tests that run side by side share the cores: threads of each would wait for those of the others
if "PYTEST_XDIST_WORKER" in os.environ:
    for threads in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"):
        os.environ.setdefault(threads, "1")


def pytest_collection_modifyitems(items):
    """Refuse ids that differ from process to process: tests that run side by side must have the same ones."""
    for item in items:
        if re.search(r"\bat 0x[0-9a-f]+", item.nodeid):
            raise pytest.UsageError(f"the id of a test holds an address: {item.nodeid}")
