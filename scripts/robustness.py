"""Accuracy of a network on held-out images that are corrupted, or changed against it."""

from cortexrsa.errors import concerning
from cortexrsa.formats.columns.robustness import ROBUSTNESS
from cortexrsa.formats.tables import write_table
from cortexrsa.jobs import job_log
from cortexrsa.networks.robustness import robustness
from cortexrsa.networks.settings import Preprocessing
from cortexrsa.networks.streaming import open_corpus
from cortexrsa.networks.weights import build_with_weights
from cortexrsa.seeds import card_of, file_of, seed_of

with job_log(snakemake.log[0]):
    settings, model = snakemake.params.settings, snakemake.wildcards.model
    corpus = open_corpus(snakemake.input.index, snakemake.input.get("images"), settings["folder"])
    with concerning(f"resources/models/{file_of(model)}.yaml"):
        table = robustness(
            build_with_weights(settings["network"], None, trained=snakemake.input.weights),
            settings["network"],
            settings["objective"] == "supervised",
            corpus,
            Preprocessing(**settings["preprocessing"]),
        )
    table = table.assign(model=card_of(model), seed=seed_of(model))
    write_table(snakemake.output.table, table[list(ROBUSTNESS.columns)], settings, ROBUSTNESS)
