"""Raw BOLD of the simulated experiment, as a BIDS folder: what a scanner would have recorded."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import xarray
from nilearn.glm.first_level import make_first_level_design_matrix
from PIL import Image
from scipy.ndimage import gaussian_filter
from scipy.signal import lfilter

from cortexrsa.brain.glm import all_others, frame_times, partitioned, regressors
from cortexrsa.brain.simulated.settings import Simulated
from cortexrsa.brain.simulated.streams import Shared, of_all, of_scans
from cortexrsa.brain.simulated.voxels import Planted, plant

TASK = "images"
DURATION = 1.0  # seconds that an image is shown
LEAD_IN, LEAD_OUT = 6.0, 14.0  # seconds before the first and after the last onset
# betas are in percent signal change times seconds: one image of 1 s peaks at about a fifth of its beta
MEAN_BETA, SIGNAL_BETA = 5.0, 2.5  # mean over stimuli, and per SD of the signal
TRIAL_SHARE = 0.5  # share of the noise variance that is the brain's, from presentation to presentation
LEAST_SHARE = 0.1  # of the noise variance that is the scanner's
AUTOCORRELATION = 0.3  # AR(1) coefficient of the scanner's noise from volume to volume
DELAY_SD = 0.4  # seconds; voxels' responses are early or late by a Gaussian of this SD
DRIFT_SD = 0.8  # percent of the mean signal
DRIFTS = 3  # cosines of 1/2, 2/2 and 3/2 periods a run
VOXEL_SIZE = 3.0  # mm
VOXELS_PER_ROI_VOXEL = 8  # of the volume
BASELINE = 1000.0  # mean signal of the brain, arbitrary units
OUTSIDE = 15.0  # mean and SD of the signal outside of it
# centres of the areas, in half sizes of the volume from its middle: right, anterior, superior. LO has two
CENTRES = {
    "v1": [(0.0, -0.70, -0.05)],
    "lo": [(-0.55, -0.45, -0.15), (0.55, -0.45, -0.15)],
    "noise": [(0.0, 0.55, 0.2)],
}


def simulate_bids(experiment: Simulated, folder: Path) -> xarray.Dataset:
    """Write a BIDS data set of the simulated experiment, and return what was planted in it.

    A voxel's signal is its baseline times one plus: the responses to all presentations (the betas planted,
    convolved with nilearn's SPM HRF, shifted by the voxel's own delay), slow drifts, and AR(1) noise. Of the
    noise variance that gives the reliability of the card, `TRIAL_SHARE` is in the betas themselves. The rest
    is what estimation adds to a presentation's beta, by least squares separate with the true autocorrelation
    and cosine drifts up to 0.01 Hz, mean over presentations: the responses to its neighbours in time, and the
    noise of the scanner, whose variance is set so that the sum is right (but to at least `LEAST_SHARE`).

    Parameters
    ----------
    experiment : all of it
    folder : to fill

    Returns
    -------
    Dataset with `signal` (stimulus, voxel), the betas without noise, and `trials` (stimulus, repeat, voxel),
    those of each presentation in the order of the scan, NaN beyond the repeats; coords as in
    `formats.responses.write_responses`, and i, j, k (place in the volume). Voxels of a ROI are in the order
    of its mask.
    """
    images, stimuli, planted = plant(experiment)
    _write_dataset(folder, images, stimuli, experiment)
    order = np.random.default_rng(of_all(experiment.seed, Shared.ORDER))
    signals, trials, places = [], [], []
    for subject in dict.fromkeys(part.subject for part in planted):
        parts = [part for part in planted if part.subject == subject]
        signal = MEAN_BETA + SIGNAL_BETA * np.concatenate([part.signal for part in parts], axis=1)
        noise = SIGNAL_BETA * np.sqrt(TRIAL_SHARE) * np.concatenate([part.noise for part in parts], axis=2)
        runs = [_design(events, experiment.tr) for events in _schedule(stimuli, experiment, order)]
        places.append(_write_subject(folder, subject, parts, runs, signal + noise, experiment))
        signals.append(signal)
        trials.append((signal + noise).swapaxes(0, 1))
    trials = np.concatenate(trials, axis=2)
    beyond = np.arange(trials.shape[1])[None, :] >= stimuli["repeats"].to_numpy()[:, None]
    trials[beyond] = np.nan
    labels = {
        name: (
            "voxel",
            np.concatenate([np.full(part.signal.shape[1], getattr(part, name), object) for part in planted]),
        )
        for name in ("subject", "roi")
    }
    labels |= {name: ("voxel", np.concatenate(places)[:, axis]) for axis, name in enumerate("ijk")}
    return xarray.Dataset(
        {
            "signal": (("stimulus", "voxel"), np.concatenate(signals, axis=1).astype(np.float32)),
            "trials": (("stimulus", "repeat", "voxel"), trials.astype(np.float32)),
        },
        coords={name: ("stimulus", stimuli[name].to_numpy(object)) for name in ("stimulus_id", "split")}
        | labels,
    )


# ---- design ----------------------------------------------------------------------------------------------


def _schedule(stimuli: pd.DataFrame, experiment: Simulated, rng: np.random.Generator) -> list[pd.DataFrame]:
    """Events of every run: onset, duration, stimulus (its row), repeat.

    Each round shows all stimuli of a split once, in random order. Rounds are dealt to the runs in turn, so
    that repeats lie as far apart as they can; within a run the order of both splits' presentations is random.
    """
    dealt = [[] for _ in range(experiment.runs)]
    for split, repeats in stimuli.groupby("split")["repeats"].first().items():
        rows = np.flatnonzero(stimuli["split"] == split)
        sequence = [(row, repeat) for repeat in range(repeats) for row in rng.permutation(rows)]
        for run, part in zip(dealt, np.array_split(np.array(sequence), len(dealt)), strict=True):
            run.extend(part)
    runs = []
    for presentations in dealt:
        presentations = rng.permutation(np.array(presentations))
        intervals = rng.uniform(*experiment.interval, len(presentations) - 1).round(1)
        onsets = LEAD_IN + np.concatenate([[0], intervals.cumsum()])
        events = pd.DataFrame({"onset": onsets, "duration": DURATION})
        events["stimulus"], order = presentations.T
        # in a run that shows a stimulus twice, the order of its repeats is that of the scan
        events["repeat"] = order
        events["repeat"] = events.groupby("stimulus")["repeat"].transform(sorted)
        runs.append(events)
    return runs


@dataclass(frozen=True)
class _Run:
    """What a run is made of: events, and regressors of its presentations (trials, scans) and their delays."""

    events: pd.DataFrame
    responses: np.ndarray
    derivatives: np.ndarray
    variance: float  # of the betas by least squares separate, if the scanner's noise has variance 1
    interference: float  # the same, if the responses to all other presentations vary with variance 1


def _design(events: pd.DataFrame, tr: float) -> _Run:
    """Regressors of a run that ends `LEAD_OUT` seconds after its last onset."""
    scans = int(np.ceil((events["onset"].iloc[-1] + LEAD_OUT) / tr))
    times = frame_times(scans, tr, 0.0)
    single = [events.iloc[[k]] for k in range(len(events))]
    both = np.stack([regressors(event, times, "spm + derivative") for event in single])
    responses, derivatives = both[:, :1], both[:, 1]
    pairs = np.concatenate([responses, all_others(responses, events, times, "spm")], axis=1)
    drifts = make_first_level_design_matrix(times, drift_model="cosine", high_pass=0.01).to_numpy()
    white, drifts = (_whiten(columns) for columns in (pairs.reshape(-1, scans).T, drifts))
    _, left, _, covariance = partitioned(np.zeros((scans, 0)), white.T.reshape(pairs.shape), drifts)
    # what the response to one presentation (column) adds to the beta of another (row)
    added = np.einsum("ip,ips->is", covariance[:, 0], left) @ left[:, 0].T
    interference = (added**2).sum(axis=1) - np.diag(added) ** 2
    variance = covariance[:, 0, 0].mean()
    return _Run(events, responses[:, 0], derivatives, float(variance), float(interference.mean()))


def _scanner_sd(part: Planted, runs: list[_Run]) -> np.ndarray:
    """SD (v,) of the scanner's noise that gives a ROI the noise variance planned; see `simulate_bids`."""
    planned = SIGNAL_BETA**2 * part.noise_variance
    betas_vary = SIGNAL_BETA**2 * (part.signal.var(axis=0) + TRIAL_SHARE * part.noise_variance)
    interference = np.mean([run.interference for run in runs]) * betas_vary
    scanner = np.maximum((1 - TRIAL_SHARE) * planned - interference, LEAST_SHARE * planned)
    return np.sqrt(scanner / np.mean([run.variance for run in runs]))


def _whiten(columns: np.ndarray) -> np.ndarray:
    """Columns (scans, c) in coordinates in which stationary AR(1) noise of variance 1 is white."""
    first = np.sqrt(1 - AUTOCORRELATION**2) * columns[:1]
    return np.concatenate([first, columns[1:] - AUTOCORRELATION * columns[:-1]]) / np.sqrt(
        1 - AUTOCORRELATION**2
    )


# ---- volumes ---------------------------------------------------------------------------------------------


def _anatomy(parts: list[Planted], areas: dict[str, str], rng: np.random.Generator):
    """Baseline (x, y, z) of a brain-like ellipsoid, its mask, and the mask of every ROI.

    A ROI is made of the voxels of the brain nearest to its area's centres that no other ROI has.
    """
    wanted = sum(part.signal.shape[1] for part in parts)
    side = (VOXELS_PER_ROI_VOXEL * wanted) ** (1 / 3)
    shape = tuple(int(np.ceil(side * factor)) for factor in (1.0, 1.2, 0.9))
    axes = [(np.arange(size) + 0.5) / size * 2 - 1 for size in shape]
    place = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
    brain = (place**2).sum(axis=-1) < 0.92
    texture = gaussian_filter(rng.standard_normal(shape), 1.2)
    baseline = BASELINE * (1 + 0.15 * texture / texture.std()).clip(0.6, 1.4)
    free = brain.copy()
    masks = {}
    for part in parts:
        centres = np.array(CENTRES[areas[part.roi]])
        distance = np.linalg.norm(place[..., None, :] - centres, axis=-1).min(axis=-1)
        distance[~free] = np.inf
        nearest = np.argsort(distance, axis=None, kind="stable")[: part.signal.shape[1]]
        masks[part.roi] = np.zeros(shape, bool)
        masks[part.roi].flat[nearest] = True
        free &= ~masks[part.roi]
    return baseline, brain, masks


def _write_subject(
    folder: Path,
    subject: str,
    parts: list[Planted],
    runs: list[_Run],
    betas: np.ndarray,
    experiment: Simulated,
) -> np.ndarray:
    """Write masks, runs and events of one subject, and return the place (v, 3) of every voxel.

    Betas are (repeats, stimuli, voxels of all ROIs).
    """
    rng = np.random.default_rng(of_scans(experiment.seed, int(subject.removeprefix("sub-"))))
    areas = {roi: settings.area for roi, settings in experiment.rois.items()}
    baseline, brain, masks = _anatomy(parts, areas, rng)
    affine = np.diag([VOXEL_SIZE] * 3 + [1.0])
    affine[:3, 3] = -VOXEL_SIZE * (np.array(brain.shape) - 1) / 2
    for roi, mask in masks.items():
        path = folder / "derivatives" / "rois" / subject / "anat" / f"{subject}_label-{roi}_mask.nii.gz"
        path.parent.mkdir(parents=True, exist_ok=True)
        image = nib.Nifti1Image(mask.astype(np.uint8), affine)
        image.header.set_xyzt_units("mm")
        nib.save(image, path)
        sidecar = {"Type": "ROI", "Description": f"Voxels of {roi}", "SpatialReference": "orig"}
        _write_json(path.with_name(path.name.replace(".nii.gz", ".json")), sidecar)

    noise_sd = np.concatenate([_scanner_sd(part, runs) for part in parts])
    delays = rng.normal(0, DELAY_SD, betas.shape[2])
    # rows of the flat volume that hold the ROIs' voxels, in the order of the betas
    roi_rows = np.concatenate([np.flatnonzero(masks[part.roi]) for part in parts])
    spread = np.full(brain.size, np.median(noise_sd))
    spread[roi_rows] = noise_sd

    sessions = np.array_split(np.arange(len(runs)), experiment.sessions)
    for session, members in enumerate(sessions, start=1):
        labels = [subject] + ([f"ses-{session:02d}"] if experiment.sessions > 1 else [])
        func = folder.joinpath(*labels, "func")
        func.mkdir(parents=True)
        for number, run in enumerate(members, start=1):
            stem = "_".join([*labels, f"task-{TASK}", f"run-{number:02d}"])
            events, scans = runs[run].events, runs[run].responses.shape[1]
            shown = betas[events["repeat"], events["stimulus"]]
            percent = _scanner(scans, spread, rng)
            percent[:, roi_rows] += runs[run].responses.T @ shown - runs[run].derivatives.T @ (shown * delays)
            volumes = (baseline.reshape(-1) * (1 + percent / 100)).T.reshape(*brain.shape, scans)
            outside = OUTSIDE * (1 + rng.standard_normal((int((~brain).sum()), scans), np.float32))
            volumes[~brain] = np.abs(outside)
            image = nib.Nifti1Image(np.rint(volumes).astype(np.int16), affine)
            image.header.set_zooms((*[VOXEL_SIZE] * 3, experiment.tr))
            image.header.set_xyzt_units("mm", "sec")
            nib.save(image, func / f"{stem}_bold.nii.gz")
            _write_events(func / f"{stem}_events.tsv", events, experiment)
    return np.concatenate([np.argwhere(masks[part.roi]) for part in parts])


def _scanner(scans: int, spread: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Drift and AR(1) noise (scans, voxels) in percent of the mean, noise with the SDs of `spread`."""
    noise = rng.standard_normal((scans, len(spread)), np.float32)
    # the first volume has the stationary variance already
    noise[1:] *= np.sqrt(1 - AUTOCORRELATION**2)
    noise = lfilter([1.0], [1.0, -AUTOCORRELATION], noise, axis=0)
    time = (np.arange(scans) + 0.5) / scans
    cosines = np.sqrt(2 / DRIFTS) * np.cos(np.pi * time[:, None] * np.arange(1, DRIFTS + 1))
    return noise * spread + DRIFT_SD * cosines @ rng.standard_normal((DRIFTS, len(spread)))


# ---- texts -----------------------------------------------------------------------------------------------


def _stimulus_id(row: int, experiment: Simulated) -> str:
    split, index = ("train", row) if row < experiment.train else ("test", row - experiment.train)
    return f"{split}-{index:04d}"


def _write_events(path: Path, events: pd.DataFrame, experiment: Simulated) -> None:
    ids = [_stimulus_id(row, experiment) for row in events["stimulus"]]
    table = events[["onset", "duration"]].assign(
        trial_type="image", stimulus_id=ids, stim_file=[f"{name}.png" for name in ids]
    )
    table.to_csv(path, sep="\t", index=False, float_format="%.1f")


def _write_json(path: Path, content: dict) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=1) + "\n")


def _write_dataset(folder: Path, images: np.ndarray, stimuli: pd.DataFrame, experiment: Simulated) -> None:
    """What the runs share: descriptions, participants, sidecars and stimuli."""
    generated = [{"Name": "dnn-cortex-rsa", "Description": "simulated BOLD, docs/simulated-study.md"}]
    description = {"BIDSVersion": "1.10.0", "License": "CC0", "Authors": ["dnn-cortex-rsa"]}
    _write_json(
        folder / "dataset_description.json",
        {"Name": "Simulated study of dnn-cortex-rsa", "DatasetType": "raw"}
        | description
        | {"GeneratedBy": generated},
    )
    _write_json(
        folder / "derivatives" / "rois" / "dataset_description.json",
        {"Name": "ROI masks of the simulated study", "DatasetType": "derivative"}
        | description
        | {"GeneratedBy": generated},
    )
    (folder / "README.md").write_text(
        "# Simulated study\n\nBOLD made by dnn-cortex-rsa from known responses: no person was scanned.\n"
        f"Images were shown for {DURATION:g} s each; `stimuli/stimuli.tsv` has their splits and categories.\n"
        "The masks of the ROIs are in `derivatives/rois`.\n"
    )
    _write_json(
        folder / f"task-{TASK}_bold.json",
        {
            "TaskName": TASK,
            "TaskDescription": "Passive viewing of images in a jittered event-related design (simulated)",
            "RepetitionTime": experiment.tr,
        },
    )
    _write_json(
        folder / f"task-{TASK}_events.json",
        {
            "trial_type": {"Description": "Kind of event", "Levels": {"image": "An image was shown"}},
            "stimulus_id": {"Description": "The image that was shown: a row of stimuli/stimuli.tsv"},
        },
    )
    people = [f"sub-{subject:02d}" for subject in range(1, experiment.subjects + 1)]
    pd.DataFrame({"participant_id": people, "species": "n/a"}).to_csv(
        folder / "participants.tsv", sep="\t", index=False
    )
    (folder / "stimuli").mkdir()
    for pixels, name in zip(images, stimuli["stimulus_id"], strict=True):
        Image.fromarray(pixels[..., 0]).save(folder / "stimuli" / f"{name}.png")
    table = stimuli.drop(columns="repeats").assign(filename=stimuli["stimulus_id"] + ".png")
    table.to_csv(folder / "stimuli" / "stimuli.tsv", sep="\t", index=False)
