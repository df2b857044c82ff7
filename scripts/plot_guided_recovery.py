"""Table and figure of how often training with a simulated brain is found to help."""

import pandas as pd

from cortexrsa.figures.recovery import plot_recovery
from cortexrsa.figures.style import draw
from cortexrsa.formats.columns.guided_recovery import GUIDED_EXPERIMENTS, GUIDED_RECOVERY
from cortexrsa.formats.tables import read_table, write_table
from cortexrsa.jobs import job_log
from cortexrsa.validation.guided_summary import summarise

with job_log(snakemake.log[0]):
    tables = [read_table(path, GUIDED_EXPERIMENTS) for path in snakemake.input.tables]
    table = summarise(pd.concat(tables, ignore_index=True))
    write_table(snakemake.output.table, table, snakemake.params.settings, GUIDED_RECOVERY)
    # of the claim alone: its parts stand in the table
    claim = table[table["question"].str.startswith("H9")]
    draw([snakemake.output.svg, snakemake.output.png], plot_recovery, claim)
