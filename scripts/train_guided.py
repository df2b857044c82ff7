"""Train a network on a corpus and to be like the brain, or one of its controls."""

import shutil
from dataclasses import replace
from pathlib import Path

from safetensors.torch import save_file

from cortexrsa.brain.responses import clean_responses
from cortexrsa.errors import concerning
from cortexrsa.formats.columns.choice import CHOICE
from cortexrsa.formats.columns.guidance import GUIDANCE
from cortexrsa.formats.columns.metrics import METRICS
from cortexrsa.formats.responses import read_responses
from cortexrsa.formats.stimuli import read_stimuli
from cortexrsa.formats.tables import write_table
from cortexrsa.guidance.choice import choose, with_layers
from cortexrsa.guidance.lessons import lesson_of
from cortexrsa.guidance.settings import Guidance
from cortexrsa.guidance.training import train_guided
from cortexrsa.jobs import job_log
from cortexrsa.networks.settings import Preprocessing, Recipe
from cortexrsa.networks.streaming import open_corpus
from cortexrsa.networks.weights import build_with_weights
from cortexrsa.storage import atomic_path, write_provenance


def other_network(card: dict | None, prefix: str):
    """A network whose weights lie among the inputs, or come with a package."""
    if card is None:
        return None
    weights, downloads = (snakemake.input.get(f"{prefix}_{kind}") for kind in ("weights", "downloads"))
    return build_with_weights(card["network"], card["weights"], trained=weights, downloads=downloads)


with job_log(snakemake.log[0]):
    settings = snakemake.params.settings
    # not an output: Snakemake would remove it when the job fails, and it is there to go on from
    checkpoints = Path(snakemake.output.weights).with_name("checkpoint")
    training = dict(settings["weights"]["training"])
    guidance = Guidance(**training.pop("brain"))
    training.pop("start", None)
    recipe, preprocessing = Recipe(**training), Preprocessing(**settings["preprocessing"])
    corpus = open_corpus(snakemake.input.index, snakemake.input.get("images"), settings["folder"])
    images, table = read_stimuli(snakemake.input.stimuli_images, snakemake.input.stimuli)
    with concerning(snakemake.input.responses):
        responses, _ = clean_responses(read_responses(snakemake.input.responses))
    with concerning(f"resources/models/{snakemake.wildcards.model.partition('@')[0].partition('~')[0]}.yaml"):
        other = other_network(settings["control"], "control")
        start = other_network(settings["start"], "start")
        shown = Preprocessing(**settings["seen"])
        lesson, seen, corpus = lesson_of(
            guidance,
            settings["layers"],
            (images, table),
            responses,
            (corpus, snakemake.input.hashes),
            shown,
            recipe.seed,
            other and (other, Preprocessing(**settings["control_seen"])),
        )
        rois = [roi for roi, _ in settings["layers"]]

        def trained(chosen: Guidance, share: float = 1.0, **options):
            """The network and its metrics after a share of the training."""
            return train_guided(
                settings["network"],
                replace(recipe, images_seen=round(share * recipe.images_seen)),
                corpus,
                preprocessing,
                chosen,
                with_layers(lesson, rois, chosen, settings["order"]),
                start=start and start.state_dict(),
                threads=snakemake.threads,
                **options,
            )

        def tried(candidate: Guidance) -> float:
            """Similarity on the validation stimuli after a short training."""
            curve = trained(candidate, candidate.choose["share"])[1]
            return float(curve.loc[curve["metric"] == "validation_similarity", "value"].iloc[-1])

        guidance, choice = choose(guidance, tried)
        print(choice.to_string(index=False))
        network, metrics = trained(guidance, checkpoints=checkpoints, code=snakemake.params.code)
    with atomic_path(snakemake.output.weights) as temporary:
        save_file(network.state_dict(), temporary)
        write_provenance(snakemake.output.weights, settings, {Path(snakemake.output.weights).name: temporary})
    write_table(snakemake.output.choice, choice, settings, CHOICE)
    write_table(snakemake.output.guidance, seen, settings, GUIDANCE)
    write_table(snakemake.output.metrics, metrics, settings, METRICS)
    shutil.rmtree(checkpoints)
