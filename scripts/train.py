"""Train a network on a corpus."""

import sys

import torch

from cortexrsa.files import atomic_path, job_log, load_array, read_table, write_table
from cortexrsa.networks.training import train

with job_log(snakemake.log[0]):
    settings = snakemake.params.settings
    labels = read_table(snakemake.input.labels, ["category", "split"])
    network, metrics = train(
        settings["network"],
        settings["weights"]["training"],
        load_array(snakemake.input.images, mmap_mode="r"),
        labels["category"],
        labels["split"],
        settings["preprocessing"],
        threads=snakemake.threads,
        progress=sys.__stderr__.isatty(),
        source=f"resources/models/{snakemake.wildcards.model}.yaml",
    )
    with atomic_path(snakemake.output.weights) as temporary:
        torch.save(network.state_dict(), temporary)
    write_table(snakemake.output.metrics, metrics, settings)
