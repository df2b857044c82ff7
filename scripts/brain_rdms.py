"""RDMs of every subject and ROI."""

from cortexrsa.brain.responses import clean_responses, many_dropped
from cortexrsa.errors import concerning
from cortexrsa.formats.rdms import write_rdms
from cortexrsa.formats.responses import read_responses
from cortexrsa.geometry.regions import brain_rdms, shared_runs
from cortexrsa.geometry.registry import DISSIMILARITIES
from cortexrsa.jobs import job_log, warn

with job_log(snakemake.log[0]):
    settings = snakemake.params.settings
    responses = read_responses(snakemake.input.responses)
    with concerning(snakemake.input.responses):
        cleaned, dropped = clean_responses(responses)
    print(dropped.to_string(index=False))
    shared = shared_runs(cleaned) if DISSIMILARITIES[settings["dissimilarity"]].across_runs else []
    for text in many_dropped(dropped) + shared:
        warn(text)
    with concerning(snakemake.input.responses):
        rdms = brain_rdms(cleaned, settings["dissimilarity"], snakemake.threads)
    write_rdms(snakemake.output.rdms, rdms, settings)
