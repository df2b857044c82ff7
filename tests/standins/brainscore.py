"""An assembly of Brain-Score: NetCDF-4 with flat coordinates for its MultiIndex, images in a zip."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import xarray
from PIL import Image

from standins.world import StandIn, design, pictures, plant

STIMULI, REPEATS, NEUROIDS = 30, 4, 60
REGIONS = {"V1": 16, "IT": 14}  # neuroids of each person


def make(folder: Path, seed: int = 0, people: tuple[str, ...] = ("subj1", "subj2")) -> StandIn:
    """Write it: both people saw the presentations of one order."""
    rng = np.random.default_rng(seed)
    names = [f"im{k:03d}" for k in range(STIMULI)]
    images = pictures(rng, names)
    # one session: assemblies hold no sessions
    shown = design(rng, dict.fromkeys(names, REPEATS), 1)
    voxels = sum(REGIONS.values())
    made = {subject: plant(rng, shown, images, voxels, drift=0) for subject in people}
    for person in made.values():
        edge = REGIONS["V1"]
        person.rois = {"V1": np.arange(edge), "IT": np.arange(edge, voxels)}
    # neuroids of the two people take turns
    order = np.arange(2 * voxels).reshape(2, voxels).T.ravel()
    values = np.concatenate([person.betas for person in made.values()], axis=1)[:, order]
    subject = np.repeat(people, voxels)[order]
    region = np.tile(np.repeat(list(REGIONS), list(REGIONS.values())), 2)[order]
    array = xarray.DataArray(
        values[:, :, None].astype(np.float32),
        dims=("presentation", "neuroid", "time_bin"),
        coords={
            "stimulus_id": ("presentation", shown["stimulus_id"].to_numpy(object)),
            "repetition": ("presentation", shown.groupby("stimulus_id").cumcount().to_numpy()),
            "neuroid_id": ("neuroid", [f"n{k}" for k in range(2 * voxels)]),
            "subject": ("neuroid", subject.astype(object)),
            "region": ("neuroid", region.astype(object)),
            "nc_testset": ("neuroid", rng.uniform(10, 90, 2 * voxels)),
            "time_bin_start": ("time_bin", [0]),
            "time_bin_end": ("time_bin", [1]),
        },
        attrs={"stimulus_set_identifier": "Standin2024", "identifier": "Standin2024_fmri"},
        name="data",
    )
    folder.mkdir(parents=True, exist_ok=True)
    array.to_dataset().to_netcdf(folder / "assy_Standin2024_fmri.nc", engine="h5netcdf")
    files = [f"{name}.png" for name in names]
    table = pd.DataFrame({"stimulus_id": names, "filename": files, "object_name": "thing"})
    # the order of the table is not that of the presentations
    table.iloc[rng.permutation(STIMULI)].to_csv(folder / "stimulus_Standin2024.csv", index=False)
    with zipfile.ZipFile(folder / "stimulus_Standin2024.zip", "w") as archive:
        for name, file in zip(names, files, strict=True):
            buffer = io.BytesIO()
            Image.fromarray(images[name]).save(buffer, "PNG")
            archive.writestr(file, buffer.getvalue())
    return StandIn(folder, made, images)
