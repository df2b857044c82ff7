"""Responses of all subjects to all stimuli, from their betas."""

from cortexrsa.brain.assembly import assemble, select_reliable, source_of_betas
from cortexrsa.errors import concerning
from cortexrsa.formats.columns.stimuli import STIMULI
from cortexrsa.formats.netcdf import read_dataset
from cortexrsa.formats.responses import write_responses
from cortexrsa.formats.tables import read_table
from cortexrsa.jobs import job_log

with job_log(snakemake.log[0]):
    settings = snakemake.params.settings
    sources = [
        source_of_betas(f"sub-{subject}", read_dataset(path, ["betas"])["betas"])
        for subject, path in zip(settings["subjects"], snakemake.input.betas, strict=True)
    ]
    stimuli = read_table(snakemake.input.stimuli, STIMULI)
    responses = assemble(stimuli, sources, settings["zscore"], settings["betas"] != "stimulus")
    if settings["selection"]:
        with concerning(snakemake.input.stimuli):
            responses = select_reliable(responses, **settings["selection"])
    write_responses(snakemake.output.responses, responses, settings)
