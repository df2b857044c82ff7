"""Error rates and power of contrasts of ROIs, over simulated studies of one size."""

import pandas as pd

from cortexrsa.formats.columns.calibration import REGIONS
from cortexrsa.formats.tables import write_table
from cortexrsa.jobs import job_log
from cortexrsa.validation.regions import TRUTHS, contrasts_of_rois

with job_log(snakemake.log[0]):
    settings, stimuli = snakemake.params.settings, int(snakemake.wildcards.stimuli)
    found = {truth: contrasts_of_rois(truth, stimuli, **settings).assign(truth=truth) for truth in TRUTHS}
    table = pd.concat(found.values(), ignore_index=True).assign(stimuli=stimuli)
    write_table(snakemake.output.table, table[list(REGIONS.columns)], settings, REGIONS)
