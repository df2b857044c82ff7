"""Coverage of the intervals of encoding models, over simulated studies of one size."""

import pandas as pd

from cortexrsa.formats.columns.calibration import ENCODED
from cortexrsa.formats.tables import write_table
from cortexrsa.jobs import job_log
from cortexrsa.validation.encoding import SCHEMES, coverage

with job_log(snakemake.log[0]):
    settings, stimuli = snakemake.params.settings, int(snakemake.wildcards.stimuli)
    parts = [
        coverage(scheme, stimuli, settings["studies"], settings["seed"]).assign(scheme=scheme)
        for scheme in SCHEMES
    ]
    table = pd.concat(parts, ignore_index=True).assign(stimuli=stimuli, studies=settings["studies"])
    write_table(snakemake.output.table, table[list(ENCODED.columns)], settings, ENCODED)
