"""Split-half reliability of every voxel, and whether stimuli of a label have similar responses."""

from cortexrsa.brain.label_correlation import alike, with_labels
from cortexrsa.brain.reliability import reliability_table
from cortexrsa.formats.columns.reliability import RELIABILITY
from cortexrsa.formats.columns.stimuli import STIMULI
from cortexrsa.formats.responses import read_responses
from cortexrsa.formats.tables import read_table, write_table
from cortexrsa.jobs import job_log, warn

with job_log(snakemake.log[0]):
    settings = snakemake.params.settings
    responses = read_responses(snakemake.input.responses)
    stimuli = read_table(snakemake.input.stimuli, STIMULI)
    table = reliability_table(responses, settings["ceiling_splits"], settings["seed"])
    table = with_labels(table, responses, stimuli)
    for column, (roi, correlation) in alike(responses, stimuli).items() if not settings["unit"] else ():
        warn(
            f"{snakemake.wildcards.dataset}: responses to test stimuli of the same `{column}` are alike "
            f"(intraclass correlation {correlation:.2f} in {roi}), and intervals take stimuli as drawn one "
            f"by one; `unit: {column}` in the data set's card makes them about other values of `{column}`"
        )
    write_table(snakemake.output.table, table, settings, RELIABILITY)
