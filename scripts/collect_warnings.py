"""Table of the warnings that the jobs of a study left in their logs."""

import glob

import pandas as pd

from cortexrsa.formats.columns.warnings import WARNINGS
from cortexrsa.formats.tables import write_table
from cortexrsa.jobs import job_log, warnings_in

with job_log(snakemake.log[0]):
    settings = snakemake.params.settings
    logs = sorted({log for pattern in settings["logs"] for log in glob.glob(pattern, recursive=True)})
    rows = [(log, warning) for log in logs for warning in warnings_in(log)]
    table = pd.DataFrame(rows, columns=list(WARNINGS.columns))
    write_table(snakemake.output.table, table, settings, WARNINGS)
