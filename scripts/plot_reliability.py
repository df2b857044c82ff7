"""Figure of the reliability of the voxels."""

import pandas as pd

from cortexrsa.figures.quality import plot_reliability
from cortexrsa.figures.style import save
from cortexrsa.files import job_log

with job_log(snakemake.log[0]):
    table = pd.read_csv(snakemake.input.table)
    save(plot_reliability(table), snakemake.output.reliability_svg, snakemake.output.reliability_png)
