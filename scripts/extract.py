"""Activations of all layers of a network to the stimuli of a data set."""

import sys

from cortexrsa.downloaded import check
from cortexrsa.formats.activations import shard_rows
from cortexrsa.formats.stimuli import read_stimuli
from cortexrsa.jobs import job_log
from cortexrsa.networks.extraction import Projection, extract
from cortexrsa.networks.zoo import build_with_weights
from cortexrsa.storage import atomic_folder, check_unchanged

with job_log(snakemake.log[0]):
    settings = snakemake.params.settings
    source = f"resources/models/{snakemake.wildcards.model}.yaml"
    images, _ = read_stimuli(snakemake.input.images, snakemake.input.stimuli)
    card = f"resources/datasets/{snakemake.wildcards.dataset}.yaml"
    rows = shard_rows(len(images), snakemake.wildcards.shard, card)
    if snakemake.input.get("weights"):
        check_unchanged(snakemake.input.weights)
    if snakemake.input.get("downloads"):
        file = settings["weights"]["file"]
        check(snakemake.input.downloads, {file: {"sha256": settings["weights"].get("sha256")}})
    network = build_with_weights(
        settings["network"],
        settings["weights"],
        trained=snakemake.input.get("weights"),
        downloads=snakemake.input.get("downloads"),
        source=source,
    )
    with atomic_folder(snakemake.output.activations) as folder:
        layers = extract(
            network,
            images[rows],
            settings["preprocessing"],
            settings["layers"],
            folder,
            batch_size=snakemake.resources.batch_size,
            projection=Projection(**settings["projection"]) if "projection" in settings else None,
            progress=sys.__stderr__.isatty(),
            settings=settings,
            source=source,
        )
    print(layers.to_string(index=False))
