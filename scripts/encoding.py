"""Encoding models of one network: every layer predicts every voxel."""

from cortexrsa.brain.responses import clean_responses
from cortexrsa.encoding.layers import encode
from cortexrsa.encoding.settings import EncodingSettings
from cortexrsa.errors import concerning
from cortexrsa.formats.columns.guidance import GUIDANCE
from cortexrsa.formats.columns.stimuli import STIMULI
from cortexrsa.formats.netcdf import write_dataset
from cortexrsa.formats.responses import read_responses
from cortexrsa.formats.tables import read_table
from cortexrsa.inference.settings import Settings
from cortexrsa.inference.stimuli_apart import stimuli_apart
from cortexrsa.jobs import job_log

with job_log(snakemake.log[0]):
    settings, apart = snakemake.params.settings, None
    if guidance := snakemake.input.get("guidance"):
        apart = stimuli_apart(read_table(snakemake.input.stimuli, STIMULI), read_table(guidance, GUIDANCE))
    with concerning(snakemake.input.responses):
        responses, _ = clean_responses(read_responses(snakemake.input.responses))
        found = encode(
            snakemake.input.activations,
            snakemake.input.stimuli,
            responses,
            EncodingSettings(**settings["encoding"]),
            Settings(**settings["inference"]),
            snakemake.threads,
            apart,
        )
    write_dataset(snakemake.output.scores, found, settings)
