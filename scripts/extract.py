"""Activations of all layers of a network to the stimuli of a data set."""

from cortexrsa.errors import concerning
from cortexrsa.formats.activations import shard_rows
from cortexrsa.formats.stimuli import read_stimuli
from cortexrsa.jobs import job_log
from cortexrsa.networks.extraction import Projection, extract, write_layers
from cortexrsa.networks.settings import Preprocessing
from cortexrsa.networks.weights import build_with_weights
from cortexrsa.storage import atomic_folder

with job_log(snakemake.log[0]):
    settings = snakemake.params.settings
    images, _ = read_stimuli(snakemake.input.images, snakemake.input.stimuli)
    with concerning(f"resources/datasets/{snakemake.wildcards.dataset}.yaml"):
        rows = shard_rows(len(images), snakemake.wildcards.shard)
    with (
        concerning(f"resources/models/{snakemake.wildcards.model.partition('@')[0].partition('~')[0]}.yaml"),
        atomic_folder(snakemake.output.activations) as folder,
    ):
        network = build_with_weights(
            settings["network"],
            settings["weights"],
            trained=snakemake.input.get("weights"),
            downloads=snakemake.input.get("downloads"),
        )
        table, files = extract(
            network,
            images[rows],
            Preprocessing(**settings["preprocessing"]),
            settings["layers"],
            folder,
            batch_size=snakemake.resources.batch_size,
            projection=Projection(**settings["projection"]) if "projection" in settings else None,
        )
        write_layers(folder, table, files, settings)
    print(table.to_string(index=False))
