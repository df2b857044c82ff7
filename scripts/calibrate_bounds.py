"""Noise ceilings, and claims about shares of them, over simulated studies of one size."""

import pandas as pd

from cortexrsa.formats.columns.calibration import BOUNDS
from cortexrsa.formats.tables import write_table
from cortexrsa.jobs import job_log
from cortexrsa.validation.bounds import NOISE, shares_of_ceilings

with job_log(snakemake.log[0]):
    settings, stimuli = snakemake.params.settings, int(snakemake.wildcards.stimuli)
    table = pd.concat([shares_of_ceilings(data, stimuli, **settings) for data in NOISE], ignore_index=True)
    table = table.assign(stimuli=stimuli)
    write_table(snakemake.output.table, table[list(BOUNDS.columns)], settings, BOUNDS)
