"""Table and figure of the calibration study."""

import pandas as pd

from cortexrsa.figures.calibration import plot_calibration, summary
from cortexrsa.figures.style import draw
from cortexrsa.formats.columns.calibration import CALIBRATION, COVERAGE, FALSE_POSITIVES
from cortexrsa.formats.tables import read_table, write_table
from cortexrsa.jobs import job_log
from cortexrsa.storage import atomic_path

with job_log(snakemake.log[0]):
    tables = [
        read_table(path, FALSE_POSITIVES if path.endswith("-none.csv") else COVERAGE)
        for path in snakemake.input.tables
    ]
    table = pd.concat(tables, ignore_index=True).reindex(columns=list(CALIBRATION.columns))
    write_table(snakemake.output.table, table, snakemake.params.settings, CALIBRATION)
    with atomic_path(snakemake.output.summary) as temporary:
        temporary.write_text(summary(table))
    draw([snakemake.output.svg, snakemake.output.png], plot_calibration, table)
