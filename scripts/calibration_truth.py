"""Scores of a simulated world in the population, for the calibration study."""

from pathlib import Path

import numpy as np

from cortexrsa.jobs import job_log
from cortexrsa.storage import atomic_path, write_provenance
from cortexrsa.validation.calibration import SIGNALS, World

with job_log(snakemake.log[0]):
    settings, wildcards = snakemake.params.settings, snakemake.wildcards
    world = World(settings["subjects"] if wildcards.population == "several" else 1, SIGNALS[wildcards.signal])
    truth = world.truth(settings["stimuli"], settings["studies"])
    with atomic_path(snakemake.output.truth) as temporary:
        np.save(temporary, truth, allow_pickle=False)
        write_provenance(snakemake.output.truth, settings, {Path(snakemake.output.truth).name: temporary})
