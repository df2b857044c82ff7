"""Figures of the geometry."""

from pathlib import Path

import pandas as pd

from cortexrsa.figures.geometry import of_test_stimuli, plot_mds, plot_rdms
from cortexrsa.figures.style import draw, marked
from cortexrsa.formats.columns.scores import SCORES
from cortexrsa.formats.rdms import read_rdms
from cortexrsa.formats.stimuli import read_stimuli
from cortexrsa.formats.tables import read_table
from cortexrsa.jobs import job_log

with job_log(snakemake.log[0]):
    settings, out = snakemake.params.settings, snakemake.output
    models = marked(settings["models"], snakemake.input.get("learning"))
    comparison = settings["comparison"]
    brain = of_test_stimuli(read_rdms(snakemake.input.brain))
    # one file at a time: those of all networks together may not fit into memory
    networks = {Path(path).stem: of_test_stimuli(read_rdms(path)) for path in snakemake.input.networks}
    scores = read_table(snakemake.input.scores, SCORES)
    # RDMs have no mean over seeds that would show what one network does
    scores = scores[scores["seed"] == 1]
    for name, model in models.items():
        if model["seeds"] > 1:
            models[name] = model | {"label": f"{model['label']} (1 of {model['seeds']} seeds)"}
    images, stimuli = read_stimuli(snakemake.input.images, snakemake.input.stimuli)
    tested = pd.Index(stimuli["stimulus_id"]).get_indexer(brain.pattern_descriptors["stimulus_id"])
    shown = (brain, networks, scores, models, comparison)
    draw(out.rdms, plot_rdms, *shown, (images, tested))
    draw(out.mds, plot_mds, *shown, settings["seed"])
