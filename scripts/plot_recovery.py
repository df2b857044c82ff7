"""Table and figure of what is recovered of planted truth."""

import pandas as pd

from cortexrsa.figures.recovery import plot_recovery
from cortexrsa.figures.style import draw
from cortexrsa.formats.columns.recovery import EXPERIMENTS, RECOVERY
from cortexrsa.formats.tables import read_table, write_table
from cortexrsa.jobs import job_log
from cortexrsa.validation.recovery import summarise

with job_log(snakemake.log[0]):
    results = pd.concat([read_table(path, EXPERIMENTS) for path in snakemake.input.tables], ignore_index=True)
    table = summarise(results)
    write_table(snakemake.output.table, table, snakemake.params.settings, RECOVERY)
    draw([snakemake.output.svg, snakemake.output.png], plot_recovery, table)
