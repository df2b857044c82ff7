"""BOLD5000, release 2: a NIfTI a session with a broken affine, names of images in one text file, masks."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from standins.world import AFFINE, StandIn, brain, design, pictures, plant, save_picture, save_volume, volume

ONCE, REPEATED, SESSIONS = 44, 12, 4
VERSION = "GLMbetas-TYPED-FITHRF-GLMDENOISE-RR"


def make(folder: Path, seed: int = 0, people: tuple[str, ...] = ("CSI1", "CSI2")) -> StandIn:
    """Write it: most images once, some four times, in the folders of their sources."""
    rng = np.random.default_rng(seed)
    names = [f"n0{k:07d}_{k}.JPEG" for k in range(ONCE // 2)]
    names += [f"COCO_train2014_{k:012d}.jpg" for k in range(ONCE - ONCE // 2)]
    repeated = [f"scene{k}.jpg" for k in range(REPEATED)]
    images = pictures(rng, names + repeated)
    sources = {"n": "ImageNet", "C": "COCO", "s": "Scene"}
    stimuli = folder / "BOLD5000_Stimuli/Scene_Stimuli/Presented_Stimuli"
    for name, image in images.items():
        save_picture(stimuli / sources[name[0]] / name, image)
    made = {}
    for subject in people:
        counts = dict.fromkeys(names, 1) | dict.fromkeys(repeated, 4)
        shown = design(rng, counts, SESSIONS)
        where = brain()
        person = plant(rng, shown, images, where.sum())
        person.rois = _write_masks(folder, subject, where)
        _write(folder, subject, person, where)
        made[subject] = person
    return StandIn(folder, made, images)


def _write_masks(folder: Path, subject: str, where: np.ndarray) -> dict[str, np.ndarray]:
    """Masks of both hemispheres; some names of CSI2 are spelled otherwise."""
    x, y, _ = np.argwhere(where).T
    left = x < np.median(x)
    areas = {"EarlyVis": y < np.quantile(y, 0.4), "LOC": y > np.quantile(y, 0.6)}
    rois = {}
    for area, inside in areas.items():
        for side, half in {"LH": left, "RH": ~left}.items():
            own = inside & half
            name = "LO" if (subject, area) == ("CSI2", "LOC") else area
            mask = volume(own.astype(np.uint8), where)
            save_volume(folder / f"sub-{subject}/sub-{subject}_mask-{side}{name}.nii.gz", mask, np.uint8)
            rois[side + area] = np.flatnonzero(own)
        rois[area] = np.flatnonzero(inside)
    return rois


def _write(folder, subject, person, where) -> None:
    broken = np.eye(4)
    for session in person.trials["session"].unique():
        own = person.betas[(person.trials["session"] == session).to_numpy()].astype(np.float32)
        file = folder / f"{subject}_{VERSION}_ses-{session:02d}.nii.gz"
        # outside of the brain there is NaN
        whole = volume(own, where, np.nan).transpose(1, 2, 3, 0)
        save_volume(file, whole, np.float32, broken)
    save_volume(folder / f"{subject}_brainmask.nii.gz", where, np.uint8, AFFINE)
    names = person.trials["stimulus_id"]
    seen = names.duplicated()
    lines = [("rep_" if again else "") + name for name, again in zip(names, seen, strict=True)]
    (folder / f"{subject}_imgnames.txt").write_text("\n".join(lines) + "\n")
    place = folder / "BOLD5000_GLMsingle_ROI_betas/py"
    place.mkdir(parents=True, exist_ok=True)
    for roi in ("LHEarlyVis", "RHEarlyVis", "LHLOC", "RHLOC"):
        values = person.betas[:, person.rois[roi]].astype(np.float32)
        np.save(place / f"{subject}_{VERSION}_allses_{roi}.npy", values)
