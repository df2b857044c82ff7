"""Errors of encoding scores over the units of a design, from the influences of single stimuli."""

from __future__ import annotations

import numpy as np
import xarray

from cortexrsa.inference.design import Design
from cortexrsa.inference.errors import Replicates

DEVIATIONS = ("deviations", "corrected_deviations", "heldout_deviations")


def by_units(data: xarray.Dataset, design: Design) -> xarray.Dataset:
    """The results of `network.encode_network` with replicates of units in place of the m test stimuli.

    Influences on a score add up: those of a unit's stimuli are its own; of fixed categories, those of stimuli
    less the mean of their category are left. Influences of training stimuli stay. Where replicates are of
    units, unit_of_stimulus (tested) has the unit of every test stimulus.

    Parameters
    ----------
    design : of the test stimuli
    """
    _, codes, sizes = np.unique(design.labels, return_inverse=True, return_counts=True)
    m, units = len(codes), len(sizes)
    found = {}
    for name in DEVIATIONS:
        values = data[name].transpose("replicate", ...).to_numpy()
        sums = np.zeros((units, *values.shape[1:]))
        np.add.at(sums, codes, values[:m].astype(np.float64))
        if design.fixed:
            shape = (-1, *(1 for _ in values.shape[1:]))
            means = sums / sizes.reshape(shape)
            lost = np.sqrt(sizes / np.maximum(sizes - 1, 1) * (m - 1) / m)
            own = (values[:m] - means[codes]) * lost[codes].reshape(shape)
        else:
            own = sums * np.sqrt(units / (units - 1) * (m - 1) / m)
        rows = np.concatenate([own, values[m:]]).astype(np.float32)
        dims = data[name].transpose("replicate", ...).dims
        found[name] = xarray.DataArray(rows, dims=dims).transpose(*data[name].dims)
    dof = m - units if design.fixed else units - 1
    packed = Replicates((len(rows), 0), (1.0, 0.0), 1.0, float(dof)).packed()
    rest = data.drop_vars([*DEVIATIONS, "replicate"], errors="ignore")
    if not design.fixed:
        found["unit_of_stimulus"] = (("tested",), codes)
    return rest.assign(found | {"replicates": (("split", "quantity"), packed[None])})
