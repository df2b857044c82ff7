"""Work of several threads, in the order of its items."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import numpy as np
from threadpoolctl import ThreadpoolController


def in_threads(function: Callable, items: Iterable, threads: int) -> list:
    """Results of a function that lets go of the interpreter lock, in the order of the items."""
    if threads == 1:
        return [function(item) for item in items]
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(function, items))


def in_groups(function: Callable, items: Sequence, threads: int) -> None:
    """Call a function of some of the items once in every thread, as for what they can share."""
    in_threads(function, [group for group in np.array_split(items, threads) if len(group)], threads)


@cache
def _pools() -> ThreadpoolController:
    return ThreadpoolController()  # it looks through all loaded libraries, for some milliseconds


def one_blas_thread():
    """Context in which a product of matrices has one thread: its rounding depends on their number."""
    return _pools().limit(limits=1, user_api="blas")
