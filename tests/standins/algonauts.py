"""Algonauts 2023: averages of session z-scores on the surface, hemispheres apart, with masks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from standins.world import Person, StandIn, pictures, save_picture, seen

IMAGES, VERTICES = 48, 90  # both hemispheres have as many here: swapped ones fit without a word
VISUAL = {1: "V1v", 2: "V1d", 3: "V2v", 4: "V2d", 5: "V3v", 6: "V3d", 7: "hV4"}


def make(folder: Path, seed: int = 0, people: tuple[str, ...] = ("subj01", "subj02")) -> StandIn:
    """Write it. Each image stands once; how often it was shown is not in the files."""
    rng = np.random.default_rng(seed)
    made, images = {}, {}
    for subject in people:
        numbers = np.sort(rng.choice(73000, IMAGES, replace=False))
        names = [f"train-{row + 1:04d}_nsd-{number:05d}" for row, number in enumerate(numbers)]
        own = pictures(rng, names)
        place = folder / subject / "training_split"
        for name, image in own.items():
            save_picture(place / "training_images" / f"{name}.png", image)
        values = seen(rng, list(own.values()), 2 * VERTICES).astype(np.float32)
        (place / "training_fmri").mkdir(parents=True)
        masks = folder / subject / "roi_masks"
        masks.mkdir()
        codes = rng.permutation(np.repeat([0, 1, 2, 7], 2 * VERTICES // 4)).reshape(2, VERTICES)
        for side, half, part in zip(("lh", "rh"), np.split(values, 2, axis=1), codes, strict=True):
            np.save(place / "training_fmri" / f"{side}_training_fmri.npy", half)
            np.save(masks / f"{side}.prf-visualrois_challenge_space.npy", part)
        # a pickled dict, which must never be opened
        np.save(masks / "mapping_prf-visualrois.npy", {0: "Unknown", **VISUAL}, allow_pickle=True)
        flat = codes.ravel()
        rois = {"V1": np.flatnonzero(np.isin(flat, [1, 2])), "hV4": np.flatnonzero(flat == 7)}
        trials = pd.DataFrame({"session": 1, "stimulus_id": names})
        made[subject] = Person(trials, values, names, values, rois)
        images |= own
    return StandIn(folder, made, images)
