"""Labelled arrays: netCDF files through xarray, with HDF5's own checksums."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from cortexrsa.errors import InputError
from cortexrsa.storage import atomic_hdf5, provenance


def _checked(dataset) -> dict:
    """Encoding of a netCDF file whose arrays carry HDF5's own checksum: what is damaged cannot be read."""
    return {
        name: {"fletcher32": True}
        for name, values in dataset.variables.items()
        if values.dtype.kind in "iufb" and values.size and values.ndim
    }


def _variable(stored) -> tuple:
    """Dimensions, values and attributes, at once: xarray's own reader asks the file for them many times."""
    values = stored[...]
    return stored.dimensions, values.astype(str) if values.dtype == object else values, dict(stored.attrs)


def read_dataset(path: str | Path, variables: Iterable[str] = ()):
    """The xarray.Dataset of `write_dataset`, in memory.

    Raises
    ------
    InputError : the file is damaged, no netCDF, or lacks one of `variables` (coordinates included).
    """
    import h5netcdf
    import xarray

    try:
        with h5netcdf.File(path, "r", decode_vlen_strings=True) as file:
            read = {name: _variable(each) for name, each in file.variables.items()}
            dataset = xarray.decode_cf(xarray.Dataset(read, attrs=dict(file.attrs))).load()
    except (OSError, KeyError, ValueError) as error:
        raise InputError("netCDF", error, "a file as written by this workflow", file=path) from error
    missing = [name for name in variables if name not in dataset.variables]
    if missing:
        raise InputError("variables", sorted(map(str, dataset.variables)), f"also {missing}", file=path)
    return dataset


def write_dataset(path: str | Path, dataset, settings: dict) -> None:
    """Write an xarray.Dataset as netCDF, with its provenance."""
    dataset = dataset.assign_attrs(provenance=json.dumps(provenance(settings), sort_keys=True))
    with atomic_hdf5(path) as file:
        dataset.to_netcdf(file, engine="h5netcdf", encoding=_checked(dataset))
