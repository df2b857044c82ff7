"""Scores of a simulated world in the population, for the calibration study."""

import numpy as np

from cortexrsa.files import atomic_path, job_log, write_provenance
from cortexrsa.inference.calibration import SIGNALS, World

with job_log(snakemake.log[0]):
    settings, wildcards = snakemake.params.settings, snakemake.wildcards
    world = World(settings["subjects"] if wildcards.population == "several" else 1, SIGNALS[wildcards.signal])
    truth = world.truth(settings["stimuli"], settings["studies"])
    write_provenance(snakemake.output.truth, settings, {})
    with atomic_path(snakemake.output.truth) as temporary:
        np.save(temporary, truth, allow_pickle=False)
