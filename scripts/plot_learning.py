"""Figure of what the trained networks learned."""

from pathlib import Path

import pandas as pd

from cortexrsa.figures.quality import plot_learning
from cortexrsa.figures.style import draw, marked
from cortexrsa.formats.columns.learning import LEARNING
from cortexrsa.formats.columns.metrics import METRICS
from cortexrsa.formats.tables import read_table
from cortexrsa.jobs import job_log
from cortexrsa.seeds import card_of, seed_of

with job_log(snakemake.log[0]):
    metrics = pd.concat(
        read_table(path, METRICS).assign(model=card_of(name), seed=seed_of(name))
        for path, name in ((path, Path(path).parent.name) for path in snakemake.input.metrics)
    )
    models = marked(snakemake.params.settings, snakemake.input.learning)
    out, learning = snakemake.output, read_table(snakemake.input.learning, LEARNING)
    draw(out.learning, plot_learning, metrics, learning, models)
