"""Read the responses of a data set of responses."""

from pathlib import Path

from cortexrsa.brain.loaders.responses import load_responses
from cortexrsa.brain.responses import clean_responses
from cortexrsa.downloaded import check
from cortexrsa.errors import concerning
from cortexrsa.formats.columns.stimuli import STIMULI
from cortexrsa.formats.responses import write_responses
from cortexrsa.formats.tables import read_table
from cortexrsa.jobs import job_log

with job_log(snakemake.log[0]):
    settings = snakemake.params.settings
    if downloads := snakemake.input.get("downloads"):
        check(downloads, snakemake.params.files)
    folder = Path(snakemake.output.responses).parent
    stimuli = read_table(snakemake.input.stimuli, STIMULI)
    responses = load_responses(settings, downloads, stimuli, folder)
    # what later stages will drop is counted, and refused if too little is left, before anything is written
    with concerning(settings["path"] or downloads):
        _, counts = clean_responses(responses)
    print(counts.to_string(index=False))
    write_responses(snakemake.output.responses, responses, settings)
