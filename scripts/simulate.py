"""Simulate the raw BOLD of a data set, as a BIDS folder."""

from cortexrsa.brain.simulated.bold import simulate_bids
from cortexrsa.brain.simulated.settings import experiment_of
from cortexrsa.errors import concerning
from cortexrsa.formats.netcdf import write_dataset
from cortexrsa.jobs import job_log
from cortexrsa.storage import atomic_folder

with job_log(snakemake.log[0]):
    settings = snakemake.params.settings
    card = f"resources/datasets/{snakemake.wildcards.dataset}.yaml"
    with concerning(card), atomic_folder(snakemake.output.bids) as folder:
        truth = simulate_bids(experiment_of(settings["rois"], **settings["options"]), folder)
        write_dataset(snakemake.output.truth, truth, settings)
