"""THINGS-fMRI: betas as a table of voxels in pandas' HDF5, ROIs as columns of a table of voxels."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pandas as pd

from standins.ceilings import noise_ceiling
from standins.world import AFFINE, StandIn, brain, pictures, plant, save_picture, save_volume, slabs

CONCEPTS, EACH, TEST, TEST_REPEATS, SESSIONS = 10, 3, 8, 12, 4
REGIONS = ["V1", "V2", "LO1 (prf)", "LO2 (prf)", "lFFA", "rFFA"]


def make(folder: Path, seed: int = 0, people: tuple[str, ...] = ("01", "02")) -> StandIn:
    """Write it: the training images once each, the test images twelve times."""
    rng = np.random.default_rng(seed)
    train = [f"concept{c}_{e + 1:02d}s.jpg" for c in range(CONCEPTS) for e in range(EACH)]
    test = [f"thing{c}_{13}b.jpg" for c in range(TEST)]
    images = pictures(rng, train + test)
    for name, image in images.items():
        save_picture(folder / "images" / name.rsplit("_", 1)[0] / name, image)
    made = {}
    for subject in people:
        # every session has some of the training images, and each test image equally often
        shown = pd.concat(
            [
                pd.DataFrame(
                    {
                        "session": session + 1,
                        "stimulus_id": rng.permutation(train[session::SESSIONS] + test * 3),
                    }
                )
                for session in range(SESSIONS)
            ],
            ignore_index=True,
        )
        where = brain()
        person = plant(rng, shown, images, where.sum())
        person.rois = {
            "V1": slabs(where, REGIONS)["V1"],
            "LO": np.sort(np.concatenate([slabs(where, REGIONS)[f"LO{k} (prf)"] for k in (1, 2)])),
            "FFA": np.sort(np.concatenate([slabs(where, REGIONS)[f"{side}FFA"] for side in "lr"])),
        }
        _write(folder, subject, person, where, set(test))
        made[subject] = person
    return StandIn(folder, made, images)


def _write(folder, subject, person, where, test) -> None:
    place = folder / "betas_csv"
    place.mkdir(parents=True, exist_ok=True)
    table = person.trials
    concept = table["stimulus_id"].str.rsplit("_", n=1).str[0]
    is_test = table["stimulus_id"].isin(test)
    pd.DataFrame(
        {
            "trial_type": np.where(is_test, "test", "train"),
            "session": table["session"],
            "run": table.groupby("session").cumcount() // 12 + 1,
            "subject_id": int(subject),
            "trial_id": np.arange(len(table)),
            "stimulus": table["stimulus_id"],
            "concept": concept,
        }
    ).to_csv(place / f"sub-{subject}_StimulusMetadata.csv", index=False)
    x, y, z = np.argwhere(where).T
    voxels = pd.DataFrame(
        {"voxel_id": np.arange(len(x)), "subject_id": int(subject), "voxel_x": x, "voxel_y": y, "voxel_z": z}
    )
    nc = noise_ceiling(person.zscored()[is_test], table["stimulus_id"][is_test].to_numpy())
    voxels["nc_singletrial"] = noise_ceiling(
        person.zscored()[is_test], table["stimulus_id"][is_test].to_numpy(), averaged=1
    )
    voxels["nc_testset"] = nc
    for region, own in slabs(where, REGIONS).items():
        voxels[region] = np.isin(np.arange(len(x)), own).astype(int)
    voxels["glasser-V1"] = voxels["V1"]
    voxels.to_csv(place / f"sub-{subject}_VoxelMetadata.csv", index=False)
    responses = pd.DataFrame(person.betas.T)
    responses.insert(0, "voxel_id", np.arange(len(x)))
    with warnings.catch_warnings():
        # pandas pickles names of columns of mixed types, as the release does
        warnings.simplefilter("ignore")
        responses.to_hdf(place / f"sub-{subject}_ResponseData.h5", key="ResponseData", mode="w")
    mask = folder / "brainmasks" / f"sub-{subject}_space-T1w_brainmask.nii.gz"
    save_volume(mask, where, np.int8, AFFINE)
