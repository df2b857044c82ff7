"""Error rates and coverage of comparisons of networks, over simulated studies of one size."""

import pandas as pd

from cortexrsa.formats.columns.calibration import COMPARED
from cortexrsa.formats.tables import write_table
from cortexrsa.jobs import job_log
from cortexrsa.validation.comparisons import TRUTHS, drawn_networks, orders

with job_log(snakemake.log[0]):
    settings, wildcards = snakemake.params.settings, snakemake.wildcards
    size = int(wildcards.subjects), int(wildcards.stimuli)
    common = size[1], settings["simulations"], settings["draws"], settings["methods"]
    found = {truth: orders(truth, size[0], *common) for truth in TRUTHS}
    found["drawn at random"] = drawn_networks(size[0], *common)
    table = pd.concat([rows.assign(networks=truth) for truth, rows in found.items()], ignore_index=True)
    table = table.assign(subjects=size[0], stimuli=size[1])
    write_table(snakemake.output.table, table, settings, COMPARED)
