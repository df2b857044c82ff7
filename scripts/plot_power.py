"""Table, page of text and figure of the power of a design."""

import pandas as pd

from cortexrsa.figures.power import as_text, plot_power
from cortexrsa.figures.style import draw
from cortexrsa.formats.columns.power import POWER
from cortexrsa.formats.tables import read_table, write_table
from cortexrsa.jobs import job_log
from cortexrsa.storage import atomic_path

with job_log(snakemake.log[0]):
    table = pd.concat([read_table(path, POWER) for path in snakemake.input.tables], ignore_index=True)
    write_table(snakemake.output.table, table, snakemake.params.settings, POWER)
    with atomic_path(snakemake.output.summary) as temporary:
        temporary.write_text(as_text(table))
    draw([snakemake.output.svg, snakemake.output.png], plot_power, table)
