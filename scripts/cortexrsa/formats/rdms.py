"""RDMs: HDF5 in the layout of rsatoolbox."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from cortexrsa.errors import InputError
from cortexrsa.storage import atomic_hdf5, provenance


@dataclass
class RDMs:
    """Representational dissimilarity matrices over the same stimuli.

    Attributes
    ----------
    dissimilarities : (k, n (n - 1) / 2) float64, condensed upper triangles, i < j
    rdm_descriptors : k rows, what each RDM is of (layer, depth; or subject, roi)
    pattern_descriptors : n rows, the stimuli (stimulus_id, split)
    dissimilarity_measure : its name

    The names are those of rsatoolbox.
    """

    dissimilarities: np.ndarray
    rdm_descriptors: pd.DataFrame
    pattern_descriptors: pd.DataFrame
    dissimilarity_measure: str


def write_rdms(path: str | Path, rdms: RDMs, settings: dict) -> None:
    """Write RDMs as HDF5 in the layout that `rsatoolbox.rdm.load_rdm` opens (rsatoolbox 0.3)."""
    import h5py

    n = len(rdms.pattern_descriptors)
    if rdms.dissimilarities.shape != (len(rdms.rdm_descriptors), n * (n - 1) // 2):
        raise ValueError(
            f"{rdms.dissimilarities.shape} does not fit {len(rdms.rdm_descriptors)} RDMs of {n} stimuli"
        )
    with atomic_hdf5(path) as output, h5py.File(output, "w") as file:
        # with a checksum of HDF5's own, so that a damaged file cannot be read
        file.create_dataset("dissimilarities", data=rdms.dissimilarities, fletcher32=True)
        file.attrs["dissimilarity_measure"] = rdms.dissimilarity_measure
        file.create_group("descriptors").attrs["provenance"] = json.dumps(
            provenance(settings), sort_keys=True
        )
        for group, table in (
            ("rdm_descriptors", rdms.rdm_descriptors),
            ("pattern_descriptors", rdms.pattern_descriptors),
        ):
            for column, values in table.items():
                file[f"{group}/{column}"] = _hdf5_column(values)


def _hdf5_column(values: pd.Series) -> np.ndarray:
    """Numbers as they are, text as bytes: of fixed length, which rsatoolbox decodes, if it is ASCII."""
    import h5py

    if values.dtype.kind in "iufb":
        return values.to_numpy()
    text = values.astype(str).to_numpy(str)
    if all(map(str.isascii, text)):
        return text.astype("S")
    return text.astype(h5py.string_dtype("utf-8"))


def read_rdms(path: str | Path, in_memory: bool = True) -> RDMs:
    """Read what `write_rdms` wrote.

    Parameters
    ----------
    path : of the file
    in_memory : False leaves the dissimilarities in the file, open for as long as they are used: a row of them
        is read when it is asked for

    Raises
    ------
    InputError : the file cannot be read as such, or its parts disagree.
    """
    import h5py

    def table(group) -> pd.DataFrame:
        return pd.DataFrame(
            {
                name: column.asstr()[:] if h5py.check_string_dtype(column.dtype) else column[:]
                for name, column in group.items()
            }
        )

    try:
        file = h5py.File(path, "r")
        values = file["dissimilarities"]
        rdms = RDMs(
            values[:] if in_memory else values,
            table(file["rdm_descriptors"]),
            table(file["pattern_descriptors"]),
            file.attrs["dissimilarity_measure"],
        )
        if in_memory:
            file.close()
    except (OSError, KeyError) as error:
        raise InputError("RDM file", error, "HDF5 as written by this workflow", file=path) from error
    n = len(rdms.pattern_descriptors)
    if rdms.dissimilarities.shape != (len(rdms.rdm_descriptors), n * (n - 1) // 2):
        raise InputError(
            "dissimilarities",
            rdms.dissimilarities.shape,
            (len(rdms.rdm_descriptors), n * (n - 1) // 2),
            file=path,
        )
    return rdms
