"""Simulate the raw BOLD of a data set, as a BIDS folder."""

from cortexrsa.brain.bold import simulate_bids
from cortexrsa.files import atomic_folder, job_log, write_dataset

with job_log(snakemake.log[0]):
    settings = snakemake.params.settings
    with atomic_folder(snakemake.output.bids) as folder:
        truth = simulate_bids(settings["options"] | {"rois": settings["rois"]}, folder)
        write_dataset(snakemake.output.truth, truth, settings)
