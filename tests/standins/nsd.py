"""Natural Scenes Dataset: volumes in HDF5 and NIfTI, a design of two tables that count from 1."""

from __future__ import annotations

from pathlib import Path

import h5py
import nibabel as nib
import numpy as np
import pandas as pd
from scipy.io import savemat

from standins.world import (
    SIZE,
    Person,
    StandIn,
    brain,
    pictures,
    plant,
    save_volume,
    slabs,
    volume,
)

PEOPLE = 8  # of the design, whoever was downloaded
IMAGES = 73  # of the whole experiment (73,000)
SHARED, OWN, SESSIONS, LENGTH = 10, 20, 4, 24  # shared and other images of a subject; trials of a session
SCALE = 300
VERTICES = 80  # of a hemisphere
VISUAL = {"V1v": 1, "V1d": 2, "V2v": 3, "V2d": 4, "V3v": 5, "V3d": 6, "hV4": 7}
FACES = {"OFA": 1, "FFA-1": 2, "FFA-2": 3, "mTL-faces": 4, "aTL-faces": 5}


def experiment(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The design: masterordering (1, trials), subjectim (8, images), sharedix (1, shared), all from 1."""
    numbers = rng.permutation(IMAGES) + 1
    # the last image of all is shared: an index that is one too high points outside
    numbers = np.append(np.setdiff1d(numbers, [IMAGES], assume_unique=True), IMAGES)
    shared = np.sort(numbers[-SHARED:])
    others = numbers[:-SHARED]
    subjectim = np.stack(
        [np.concatenate([shared, rng.choice(others, OWN, replace=False)]) for _ in range(PEOPLE)]
    )
    order = np.repeat(np.arange(1, SHARED + OWN + 1), 3)
    rng.shuffle(order)
    # the trials that nobody here has seen follow, as for subjects with fewer sessions
    order = np.concatenate([order, rng.integers(1, SHARED + OWN + 1, SESSIONS * LENGTH - len(order))])
    return order[None], subjectim, shared[None]


def make(folder: Path, seed: int = 0, people: dict[str, int] | None = None) -> StandIn:
    """Write it.

    Parameters
    ----------
    people : {name: sessions that were run}; subj02 has one session less than the design
    """
    rng = np.random.default_rng(seed)
    people = people or {"subj01": SESSIONS, "subj02": SESSIONS - 1}
    order, subjectim, shared = experiment(rng)
    images = pictures(rng, [str(row) for row in range(IMAGES)])
    _write_experiment(folder, order, subjectim, shared, images)
    made: dict[str, Person] = {}
    for name, sessions in people.items():
        # image row = subjectim[s, masterordering[t] - 1] - 1
        rows = subjectim[int(name.removeprefix("subj")) - 1][order[0] - 1] - 1
        shown = pd.DataFrame(
            {
                "session": np.arange(len(rows)) // LENGTH + 1,
                "stimulus_id": [str(row) for row in rows],
                "shared": order[0] <= SHARED,
            }
        )
        shown = shown[shown["session"] <= sessions]
        where = brain()
        person = plant(rng, shown, images, where.sum())
        person.rois = _write_rois(folder, name, where)
        _write_betas(folder, name, person, where)
        made[name] = person
    return StandIn(folder, made, images)


def add_surface(standin: StandIn, seed: int = 1) -> StandIn:
    """Write and return what subj01 has on the surface: (trials, vertices) of each hemisphere.

    Both hemispheres have as many vertices here, so that exchanged ones fit without a word.
    """
    rng, folder = np.random.default_rng(seed), standin.folder
    shown = standin.people["subj01"].trials
    person = plant(rng, shown, standin.images, 2 * VERTICES)
    person.betas = np.round(SCALE * person.betas).astype(np.int16) / SCALE
    codes = rng.permutation(np.repeat([0, 1, 2, 7], 2 * VERTICES // 4))
    person.rois = {"V1": np.flatnonzero(np.isin(codes, [1, 2])), "hV4": np.flatnonzero(codes == 7)}
    place = folder / "nsddata_betas/ppdata/subj01/nativesurface/betas_fithrf_GLMdenoise_RR"
    place.mkdir(parents=True)
    halves = zip(("lh", "rh"), np.split(person.betas, 2, axis=1), np.split(codes, 2), strict=True)
    for side, values, own in halves:
        for session in shown["session"].unique():
            rows = np.round(SCALE * values[(shown["session"] == session).to_numpy()]).astype(np.int16)
            with h5py.File(place / f"{side}.betas_session{session:02d}.hdf5", "w") as file:
                file.create_dataset("betas", data=rows)
        labels = nib.MGHImage(own.astype(np.int32)[:, None, None], np.eye(4))
        nib.save(labels, folder / f"nsddata/freesurfer/subj01/label/{side}.prf-visualrois.mgz")
    return StandIn(folder, {"subj01": person}, standin.images)


def _write_experiment(folder, order, subjectim, shared, images) -> None:
    place = folder / "nsddata/experiments/nsd"
    place.mkdir(parents=True, exist_ok=True)
    # MATLAB's numbers are doubles; the released file has whole numbers
    savemat(
        place / "nsd_expdesign.mat",
        {
            "masterordering": order.astype(np.uint16),
            "subjectim": subjectim.astype(np.int32),
            "sharedix": shared.astype(np.int32),
            "basiccnt": np.zeros((3, SESSIONS), np.uint16),
        },
    )
    table = pd.DataFrame({"cocoId": 9000 + np.arange(IMAGES), "cocoSplit": "train2017"})
    table["nsdId"] = np.arange(IMAGES)
    table["shared1000"] = np.isin(table["nsdId"] + 1, shared)
    for subject in range(PEOPLE):
        table[f"subject{subject + 1}"] = np.isin(table["nsdId"] + 1, subjectim[subject]).astype(int)
    table.to_csv(place / "nsd_stim_info_merged.csv")
    place = folder / "nsddata_stimuli/stimuli/nsd"
    place.mkdir(parents=True, exist_ok=True)
    with h5py.File(place / "nsd_stimuli.hdf5", "w") as file:
        bricks = file.create_dataset("imgBrick", (IMAGES, SIZE, SIZE, 3), np.uint8, chunks=(1, SIZE, SIZE, 3))
        bricks[:] = np.stack(list(images.values()))


def _write_rois(folder: Path, name: str, where: np.ndarray) -> dict[str, np.ndarray]:
    """Label images (-1 outside of the brain, 0 no label), their code tables, and the ROIs of the card."""
    place = folder / f"nsddata/ppdata/{name}/func1pt8mm/roi"
    parts = slabs(where, ["V1v", "V1d", "V2v", "hV4", "streams"])
    codes = np.zeros(where.sum(), int)
    for label in ("V1v", "V1d", "V2v", "hV4"):
        codes[parts[label]] = VISUAL[label]
    streams = np.zeros(where.sum(), int)
    streams[parts["V1v"]], streams[parts["streams"]] = 1, 5
    faces = np.zeros(where.sum(), int)
    faces[parts["hV4"]], faces[parts["streams"]] = FACES["FFA-1"], FACES["FFA-2"]
    left = np.zeros(where.shape, bool)
    left[: where.shape[0] // 2] = True
    for file, values in {"prf-visualrois": codes, "streams": streams, "floc-faces": faces}.items():
        whole = volume(values, where, outside=-1)
        save_volume(place / f"{file}.nii.gz", whole, np.int16)
        for side, half in {"lh": left, "rh": ~left}.items():
            save_volume(place / f"{side}.{file}.nii.gz", np.where(half, whole, -1), np.int16)
    save_volume(place / "nsdgeneral.nii.gz", volume((codes + streams > 0) * 1, where, outside=-1), np.int16)
    labels = folder / f"nsddata/freesurfer/{name}/label"
    labels.mkdir(parents=True, exist_ok=True)
    for file, names in {"prf-visualrois": VISUAL, "floc-faces": FACES}.items():
        lines = ["0 Unknown", *(f"{code} {label}" for label, code in names.items())]
        (labels / f"{file}.mgz.ctab").write_text("\n".join(lines) + "\n")
    return {
        "V1": np.sort(np.concatenate([parts["V1v"], parts["V1d"]])),
        "hV4": parts["hV4"],
        "ventral": parts["streams"],
        "FFA": np.sort(np.concatenate([parts["hV4"], parts["streams"]])),
    }


def _write_betas(folder: Path, name: str, person: Person, where: np.ndarray) -> None:
    """int16, 300 times percent signal change: (trials, Z, Y, X) in HDF5, (X, Y, Z, trials) in NIfTI."""
    place = folder / f"nsddata_betas/ppdata/{name}/func1pt8mm"
    values = np.round(SCALE * person.betas).astype(np.int16)
    # a voxel at the edge of the volume was not recorded in the second session
    lost = person.rois["V1"][0]
    values[(person.trials["session"] == 2).to_numpy(), lost] = 0
    for version in ("betas_fithrf_GLMdenoise_RR", "betas_fithrf"):
        (place / version).mkdir(parents=True, exist_ok=True)
        for session in person.trials["session"].unique():
            own = volume(values[(person.trials["session"] == session).to_numpy()], where)
            file = place / version / f"betas_session{session:02d}"
            with h5py.File(f"{file}.hdf5", "w") as hdf5:
                # all trials of a voxel lie together, see the manual
                hdf5.create_dataset("betas", data=own.transpose(0, 3, 2, 1), chunks=(len(own), 1, 1, 1))
            save_volume(Path(f"{file}.nii.gz"), own.transpose(1, 2, 3, 0), np.int16)
    # what is read of it must be the same, to the rounding of int16
    person.betas = values / SCALE
    person.rois["V1"] = person.rois["V1"][1:]
    ncsnr = np.random.default_rng(1).uniform(0.1, 1, where.sum()).astype(np.float32)
    save_volume(place / "betas_fithrf_GLMdenoise_RR/ncsnr.nii.gz", volume(ncsnr, where, np.nan), np.float32)
