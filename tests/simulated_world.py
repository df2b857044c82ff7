"""A simulated experiment without a scanner, for tests of what comes after the betas."""

from __future__ import annotations

import numpy as np
import xarray

from cortexrsa.brain.simulated import voxels as simulation
from cortexrsa.brain.simulated.settings import experiment_of


def simulate(options):
    """Stimuli and single-trial responses as an experiment without a scanner would give them.

    All noise is that of the presentations; `bold.simulate_bids` gives part of it to the scanner.

    Returns
    -------
    images, stimuli : of `plant`
    responses : (stimulus, repeat, voxel) float32 with coords stimulus_id, split, subject, roi; NaN beyond a
        stimulus's repeats. As in the data of Kay et al. 2008, each voxel is scaled by the mean and SD, over
        the training stimuli, of its average over repeats.
    """
    experiment = experiment_of(**options)
    images, stimuli, planted = simulation.plant(experiment)
    train = (stimuli["split"] == "train").to_numpy()
    parts, labels = [], {"subject": [], "roi": []}
    for part in planted:
        trials = part.signal + part.noise
        trials[experiment.train_repeats :, train] = np.nan
        trials[experiment.test_repeats :, ~train] = np.nan
        average = np.nanmean(trials[:, train], axis=0)
        parts.append((trials - average.mean(axis=0)) / average.std(axis=0))
        for name, values in labels.items():
            values += [getattr(part, name)] * trials.shape[2]
    responses = xarray.DataArray(
        np.concatenate([trials.swapaxes(0, 1) for trials in parts], axis=2, dtype=np.float32),
        dims=("stimulus", "repeat", "voxel"),
        coords={name: ("stimulus", stimuli[name].to_numpy(object)) for name in ("stimulus_id", "split")}
        | {name: ("voxel", np.array(values, object)) for name, values in labels.items()},
        name="responses",
    )
    return images, stimuli, responses
