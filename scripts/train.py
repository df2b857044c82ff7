"""Train a network on a corpus."""

import shutil
from pathlib import Path

from safetensors.torch import save_file

from cortexrsa.errors import concerning
from cortexrsa.formats.columns.metrics import METRICS
from cortexrsa.formats.tables import write_table
from cortexrsa.jobs import job_log
from cortexrsa.networks.settings import Preprocessing, Recipe
from cortexrsa.networks.streaming import open_corpus
from cortexrsa.networks.training import train
from cortexrsa.storage import atomic_path, write_provenance

with job_log(snakemake.log[0]):
    settings = snakemake.params.settings
    # not an output: Snakemake would remove it when the job fails, and it is there to go on from
    checkpoints = Path(snakemake.output.weights).with_name("checkpoint")
    corpus = open_corpus(snakemake.input.index, snakemake.input.get("images"), settings["folder"])
    with concerning(f"resources/models/{snakemake.wildcards.model.partition('@')[0]}.yaml"):
        network, metrics = train(
            settings["network"],
            Recipe(**settings["weights"]["training"]),
            corpus,
            Preprocessing(**settings["preprocessing"]),
            checkpoints=checkpoints,
            code=snakemake.params.code,
            threads=snakemake.threads,
        )
    with atomic_path(snakemake.output.weights) as temporary:
        save_file(network.state_dict(), temporary)
        write_provenance(snakemake.output.weights, settings, {Path(snakemake.output.weights).name: temporary})
    write_table(snakemake.output.metrics, metrics, settings, METRICS)
    shutil.rmtree(checkpoints)
