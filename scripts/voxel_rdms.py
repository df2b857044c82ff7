"""RDMs of every subject and ROI without each of several groups of voxels."""

from cortexrsa.brain.responses import clean_responses
from cortexrsa.errors import concerning
from cortexrsa.formats.rdms import write_rdms
from cortexrsa.formats.responses import read_responses
from cortexrsa.geometry.voxel_groups import brain_rdms_without
from cortexrsa.jobs import job_log, warn

with job_log(snakemake.log[0]):
    settings = snakemake.params.settings
    with concerning(snakemake.input.responses):
        cleaned, _ = clean_responses(read_responses(snakemake.input.responses))
        rdms, texts = brain_rdms_without(
            cleaned,
            settings["dissimilarity"],
            settings["voxel_groups"],
            snakemake.threads,
            settings["unequal_noise"],
            settings["seed"],
        )
    for text in texts:
        warn(f"{snakemake.wildcards.dataset}: {text}")
    write_rdms(snakemake.output.rdms, rdms, settings)
