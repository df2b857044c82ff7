"""Set up before any test is collected."""

import os

import pytest

# assertions of the helpers say what they compared, as those of tests do
pytest.register_assert_rewrite("support")

# tests that run side by side share the cores: threads of each would wait for those of the others
if "PYTEST_XDIST_WORKER" in os.environ:
    for threads in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"):
        os.environ.setdefault(threads, "1")
