"""Where encoding models are solved: himalaya on a GPU with PyTorch, or on the processor with NumPy."""

from __future__ import annotations

import functools
from pathlib import Path

import numpy as np


@functools.cache
def backend():
    """Back end of himalaya: torch_cuda where there is a GPU, else numpy, which needs no import of PyTorch.

    Everything is solved in float64 on both.
    """
    from himalaya.backend import set_backend

    # the driver's file: without a GPU nobody waits for PyTorch
    if Path("/dev/nvidiactl").exists():
        import torch

        if torch.cuda.is_available():
            return set_backend("torch_cuda")
    return set_backend("numpy")


def eigh(matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Eigenvalues, ascending, and eigenvectors of a symmetric matrix."""
    device = backend()
    values, vectors = device.eigh(device.asarray(matrix))
    return device.to_numpy(values), device.to_numpy(vectors)
