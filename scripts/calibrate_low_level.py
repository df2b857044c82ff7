"""How often claims beyond low-level descriptors are supported, over simulated worlds."""

import pandas as pd

from cortexrsa.formats.columns.calibration import LOW_LEVEL
from cortexrsa.formats.tables import write_table
from cortexrsa.jobs import job_log
from cortexrsa.validation.low_level import TRUTHS, rules_of, supported

with job_log(snakemake.log[0]):
    settings, stimuli = snakemake.params.settings, int(snakemake.wildcards.stimuli)
    claims = rules_of(settings["claims"])
    found = [
        supported(truth, stimuli, settings["worlds"], claims, settings["seed"]).assign(truth=truth)
        for truth in TRUTHS
    ]
    table = pd.concat(found, ignore_index=True).assign(stimuli=stimuli, worlds=settings["worlds"])
    write_table(snakemake.output.table, table[list(LOW_LEVEL.columns)], settings, LOW_LEVEL)
