"""LAION-fMRI: a cubic grid, trial tables that count from 0, images as encoded bytes, splits as JSON."""

from __future__ import annotations

import io
import json
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
from PIL import Image

from standins.world import StandIn, brain, design, pictures, plant, save_volume, slabs, volume

GRID = (7, 7, 7)  # 143 x 143 x 143: any order of the axes fits
AFFINE = np.array([[1.778, 0, 0, -6], [0, 1.778, 0, -7], [0, 0, 1.778, -5], [0, 0, 0, 1.0]])
SHARED, OOD, SESSIONS = 30, 10, 4


def make(folder: Path, seed: int = 0, people: tuple[str, ...] = ("sub-01", "sub-03")) -> StandIn:
    """Write it: shared images only, four times each; the OOD images are PNGs with transparency."""
    rng = np.random.default_rng(seed)
    names = [f"shared_4rep_LAION_cluster_{k}_i0.jpg" for k in range(SHARED)]
    ood = [f"shared_4rep_OOD_shape_{k}.png" for k in range(OOD)]
    images = pictures(rng, names + ood)
    _write_stimuli(folder / "stimuli", images, set(ood), rng)
    for split, test in {"ood": ood, "tau": names[:10], "cluster_k5_0": names[10:20]}.items():
        train = [name for name in names if name not in test]
        content = {"name": split, "pool": "shared", "splitter": split, "params": {}}
        content |= {"n_train": len(train), "n_test": len(test)}
        content["variants"] = [{"variant_id": 0, "train_ids": train, "test_ids": test}]
        place = folder / "splits/data/shared"
        place.mkdir(parents=True, exist_ok=True)
        (place / f"{split}.json").write_text(json.dumps(content))
    made = {}
    for subject in people:
        shown = design(rng, dict.fromkeys(images, 4), SESSIONS)
        where = brain(GRID)
        person = plant(rng, shown, images, where.sum())
        parts = slabs(where, ["V1v", "V1d", "hV4", "FFA-1"])
        rois = folder / "derivatives/atlases" / subject / "rois"
        for name, own in parts.items():
            inside = np.isin(np.arange(where.sum()), own)
            save_volume(rois / f"{name}.nii.gz", volume(inside.astype(np.uint8), where), np.uint8, AFFINE)
        person.rois = {"V1": np.sort(np.concatenate([parts["V1v"], parts["V1d"]])), "hV4": parts["hV4"]}
        _write_sessions(folder / "derivatives/glmsingle-tedana" / subject, subject, person, where)
        made[subject] = person
    return StandIn(folder, made, images)


def _write_stimuli(place: Path, images: dict, transparent: set[str], rng: np.random.Generator) -> None:
    """Encoded bytes in one HDF5 file, rows as in the table; `images` becomes what was seen on mid-grey."""
    place.mkdir(parents=True, exist_ok=True)
    table = pd.DataFrame({"image_name": rng.permutation(list(images))})
    table["dataset"] = np.where(table["image_name"].isin(transparent), "OOD", "LAION-natural")
    table["participant"], table["unique_or_shared"], table["n_reps"] = "all", "shared", 4
    table.to_csv(place / "task-images_metadata.csv", index=False)
    with h5py.File(place / "task-images_stimuli.h5", "w") as file:
        rows = file.create_dataset("images", (len(table),), h5py.vlen_dtype(np.uint8))
        for row, name in enumerate(table["image_name"]):
            buffer, picture = io.BytesIO(), Image.fromarray(images[name])
            if name in transparent:
                alpha = np.zeros(images[name].shape[:2], np.uint8)
                alpha[:12] = 255
                picture.putalpha(Image.fromarray(alpha))
                images[name] = np.where(alpha[..., None] == 255, images[name], 128).astype(np.uint8)
                picture.save(buffer, "PNG")
            else:
                picture.save(buffer, "JPEG", quality=95)
            rows[row] = np.frombuffer(buffer.getvalue(), np.uint8)


def _write_sessions(place: Path, subject: str, person, where: np.ndarray) -> None:
    for session in person.trials["session"].unique():
        own = (person.trials["session"] == session).to_numpy()
        stem = f"{subject}_ses-{session:02d}_task-images"
        folder = place / f"ses-{session:02d}/func"
        whole = volume(person.betas[own].astype(np.float32), where).transpose(1, 2, 3, 0)
        name = f"{stem}_space-T1w_stat-effect_desc-SingletrialBetas_statmap.nii.gz"
        save_volume(folder / name, whole, np.float32, AFFINE)
        trials = pd.DataFrame({"session": f"ses-{session:02d}", "run": "run-01"}, index=range(own.sum()))
        trials["beta_index"], trials["label"] = (
            np.arange(own.sum()),
            person.trials["stimulus_id"][own].to_numpy(),
        )
        # the order of the rows says nothing: beta_index does
        trials = trials.iloc[::-1]
        trials.to_csv(folder / f"{stem}_desc-SingletrialBetas_trials.tsv", sep="\t", index=False)
    ceiling = np.random.default_rng(2).uniform(0, 80, where.sum()).astype(np.float32)
    for kind in ("4rep", "12rep", "Allrep"):
        name = f"{subject}_task-images_space-T1w_desc-Noiseceiling{kind}_statmap.nii.gz"
        save_volume(place / name, volume(ceiling, where), np.float32, AFFINE)
