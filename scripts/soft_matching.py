"""Soft matching of one network: features of every layer with the voxels of every region."""

from cortexrsa.brain.responses import clean_responses
from cortexrsa.encoding.matching_network import match
from cortexrsa.errors import concerning
from cortexrsa.formats.netcdf import write_dataset
from cortexrsa.formats.responses import read_responses
from cortexrsa.inference.settings import Settings
from cortexrsa.jobs import job_log

with job_log(snakemake.log[0]):
    settings, paths = snakemake.params.settings, snakemake.input
    with concerning(paths.responses):
        responses, dropped = clean_responses(read_responses(paths.responses))
        inference = Settings(**settings["inference"])
        found = match(paths.activations, paths.stimuli, responses, inference, snakemake.threads)
    lost = dropped.set_index(["subject", "roi"])[["nan_voxels", "constant_voxels"]].sum(axis=1)
    found["n_left_out"] = lost.to_xarray().reindex_like(found["n_voxels"])
    write_dataset(snakemake.output.scores, found, settings)
