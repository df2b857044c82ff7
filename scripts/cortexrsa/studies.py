"""Studies: what each asks for, and where what it shares with others lies.

What depends on a study's choices alone lies below `results/studies/STUDY/DATASET/`. Everything else is stored
once by what made it: folders are named after the settings, so that studies with the same settings share them
and studies with others never overwrite them.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from cortexrsa.errors import InputError, reason
from cortexrsa.guided_cards import guidance_of, needed
from cortexrsa.inference.settings import MEAN_RDM, taken_as_fixed
from cortexrsa.seeds import holder_of_weights

# what of the configuration makes betas
GLM_SETTINGS = (
    *("betas", "hrf", "drift", "high_pass", "drift_order", "noise"),
    *("slice_time_ref", "smoothing"),
)
# those of `geometry.registry.MEASURES` that compare Gram matrices
GRAM_MEASURES = ("cka", "cka_debiased", "nbs", "procrustes", "spectral")
# those that compare features with voxels one by one
VOXEL_MEASURES = ("soft_matching",)
# loaders of raw BOLD, simulated or not
RAW_BOLD = ("simulated", "bids")
PUBLISHED = "published"
# folders of results/ that belong to no data set
OTHERS = {
    "archives",
    "bench",
    "benchmarks",
    "calibration",
    "downloads",
    "guided_recovery",
    "logs",
    "power",
    "recovery",
    "site",
    "studies",
}


def _key(head: str, settings: dict) -> str:
    """Name of a folder: what a person recognises, and a hash of all settings."""
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()
    return f"{head}-{digest[:8]}"


def glm_settings(config: dict) -> dict:
    """Settings of the GLM."""
    return {key: config["glm"][key] for key in GLM_SETTINGS}


def glm_key(config: dict) -> str:
    """Folder of the betas that the workflow estimates with these settings."""
    return _key(config["glm"]["betas"], glm_settings(config))


def selection_settings(config: dict) -> dict | None:
    """How voxels are selected by their reliability, if at all."""
    if config["glm"]["minimum_reliability"] is None:
        return None
    settings = {"minimum": config["glm"]["minimum_reliability"]}
    return settings | {
        "splits": config["inference"]["ceiling_splits"],
        "seed": config["inference"]["seed"],
    }


def responses_settings(config: dict) -> dict:
    """What makes responses of the betas: their z-scores, and a selection of voxels."""
    return {"zscore": config["glm"]["zscore"], "selection": selection_settings(config)}


def responses_key(config: dict, card: dict) -> str:
    """Name of the responses of a data set: estimated with these settings, or as published."""
    if card["loader"] not in RAW_BOLD:
        return PUBLISHED
    settings = responses_settings(config)
    head = config["glm"]["betas"]
    if settings["selection"]:
        head += f"-reliability-{settings['selection']['minimum']:g}"
    return _key(head, {"glm": glm_settings(config)} | settings)


def projection_settings(config: dict) -> dict | None:
    """The random projection of large layers, where there is one."""
    if not config["projection"]:
        return None
    # which mean the RDM takes out decides what a projection must keep
    centred = config["measures"]["dissimilarity"] == "correlation"
    return {
        "dimensions": config["projection"],
        "seed": config["inference"]["seed"],
        "centred": centred,
    }


def features_key(config: dict) -> str:
    """Folder of the activations: all features of a layer, or a projection of them."""
    projection = projection_settings(config)
    return "all-features" if projection is None else _key(f"{projection['dimensions']}-features", projection)


def brain_rdms(config: dict, dataset: str, card: dict, dissimilarity: str | None = None) -> str:
    """Path of the brain RDMs of a data set, by the study's dissimilarity or another."""
    if card["loader"] == "rdms":
        return f"results/{dataset}/rdms/brain-{PUBLISHED}.h5"
    dissimilarity = dissimilarity or config["measures"]["dissimilarity"]
    return f"results/{dataset}/rdms/{dissimilarity}/brain-{responses_key(config, card)}.h5"


def voxel_rdms(config: dict, dataset: str, card: dict) -> str | None:
    """Path of the brain RDMs without groups of voxels; None where voxels are taken as they are.

    Without responses there are no voxels, and one ROI is compared with no other. People who are drawn from a
    population have voxels of their own each, and those of a mean RDM have none in common.
    """
    number = config["inference"]["voxel_groups"]
    people = _subjects(card)
    shared = config["inference"]["group"] == MEAN_RDM
    people = people > 1 and (shared or not taken_as_fixed(card.get("subject_effect"), people))
    if not number or card["loader"] == "rdms" or len(card["rois"]) < 2 or people:
        return None
    dissimilarity, inference = config["measures"]["dissimilarity"], config["inference"]
    made = f"{number}-{inference['unequal_noise']}-{inference['seed']}"
    name = f"voxels-{made}-{responses_key(config, card)}"
    return f"results/{dataset}/rdms/{dissimilarity}/{name}.h5"


def _subjects(card: dict) -> int:
    """Number of subjects that a card names; 1 where it leaves them to the files."""
    subjects = card["options"].get("subjects") or 1
    return subjects if isinstance(subjects, int) else len(subjects)


def people_of_power(config: dict, card: dict) -> int:
    """Number of people in the studies that `power` simulates for a data set.

    Raises
    ------
    InputError : several people whose scores are those of their mean RDM, which are not simulated.
    """
    people = config["power"]["subjects"] or _subjects(card)
    if people > 1 and config["inference"]["group"] == MEAN_RDM:
        found = f"{MEAN_RDM}, with {people} people"
        raise InputError("inference.group", found, "mean-score: power simulates means of people's scores")
    return people


def network_rdms(config: dict, dataset: str, model: str, dissimilarity: str | None = None) -> str:
    """Path of the RDMs of a network's layers, by the study's dissimilarity or another."""
    measures = config["measures"]
    dissimilarity = dissimilarity or measures["dissimilarity"]
    return f"results/{dataset}/rdms/{dissimilarity}/{measures['units']}/{features_key(config)}/{model}.h5"


def distances_of(config: dict) -> list[str]:
    """Dissimilarities of a study's RDMs: its own, and squared distances where it compares Gram matrices."""
    measures = config["measures"]
    grams = any(name in GRAM_MEASURES for name in measures["others"])
    return list(dict.fromkeys([measures["dissimilarity"], *(["euclidean"] if grams else [])]))


def shared_places(config: dict, datasets: dict[str, dict], models: dict[str, dict]) -> set[str]:
    """Files and folders below `results` that a study shares with others and still asks for.

    Parameters
    ----------
    config : of the study, checked
    datasets, models : its cards by name

    Returns
    -------
    places : paths relative to the project; whatever lies in a data set's folder and below none of them, no
        study asks for
    """
    places = set()
    for dataset, card in datasets.items():
        folder = f"results/{dataset}"
        places |= {f"{folder}/{name}" for name in ("stimuli.npy", "stimuli.tsv", "stimuli.tsv.json")}
        places |= {f"{folder}/{name}" for name in ("bids", "truth.nc", f"glm/{glm_key(config)}")}
        places.add(f"{folder}/responses/{responses_key(config, card)}.nc")
        places |= {brain_rdms(config, dataset, card, each) for each in distances_of(config)}
        if without := voxel_rdms(config, dataset, card):
            places.add(without)
        for model in models:
            places |= {network_rdms(config, dataset, model, each) for each in distances_of(config)}
            if config["keep_activations"]:
                places.add(f"{folder}/activations/{features_key(config)}/{model}")
    for model, card in models.items():
        training = card.get("weights", {}).get("training")
        if training:
            holder = holder_of_weights(model, card)
            places |= {f"results/networks/{holder}", f"results/corpora/{training['corpus']}"}
            places |= _of_guidance(card)
    return places


def _of_guidance(card: dict) -> set[str]:
    """Places of what a network is trained with, beside its corpus: whichever responses these are."""
    brain = guidance_of(card)
    if brain is None:
        return set()
    names = ("stimuli.npy", "stimuli.tsv", "stimuli.tsv.json", "bids", "truth.nc", "glm", "responses")
    found = {f"results/{brain['dataset']}/{name}" for name in names}
    return found | {f"results/networks/{name}" for name in needed(card)}


def left_out(config: dict, datasets: dict[str, dict], origin: str) -> list[str]:
    """What a study asks for and does not get: a line for each measure of voxels that a data set has none of.

    Parameters
    ----------
    config : of the study
    datasets : cards by name
    origin : the configuration file that the study comes from
    """
    alone = [name for name in config["datasets"] if datasets[name]["loader"] == "rdms"]
    asked = [measure for measure in config["measures"]["others"] if measure in VOXEL_MEASURES]
    return [
        f"{origin}: measures.others: {measure} is left out of {name}, which has RDMs only"
        for name in alone
        for measure in asked
    ]


def former_results(results: Path, datasets: list[str]) -> str | None:
    """What to tell of results that a version wrote in which studies had no folders of their own, if any."""
    for dataset in datasets:
        folder = results / dataset
        if (folder / "scores.csv").is_file():
            former = f"{results.name}/studies/former-{dataset}"
            return (
                f"{results.name}/{dataset}/scores.csv is of a former version, which had one folder for all "
                f"studies. Keep its results by: mkdir -p {former} && mv {results.name}/{dataset} {former}/ "
                f"(or remove {results.name}/{dataset})"
            )
    return None


def origin_of(recorded: Path) -> str:
    """The configuration file that a study came from, relative to the project.

    Parameters
    ----------
    recorded : `origin.json` of the study

    Raises
    ------
    InputError : another content: a guess could mix two studies of one name.
    """
    try:
        content = json.loads(recorded.read_text())
    except (OSError, ValueError) as error:
        found = reason(error)
    else:
        if isinstance(content, dict) and isinstance(content.get("origin"), str) and content["origin"]:
            return content["origin"]
        found = json.dumps(content)[:60]
    expected = "the file of the study, as it was written; delete this record if the folder is of this study"
    raise InputError("origin", found, expected, file=recorded)


def check_origin(study: str, origin: str, recorded: Path) -> None:
    """Refuse a study under the name of another one, whose results it would replace.

    Parameters
    ----------
    study : its name
    origin : the configuration file that it comes from, relative to the project
    recorded : file in which a former run recorded its origin; the configuration beside it is the study's own

    Raises
    ------
    InputError : the name belongs to a file that is still there, or the record does not tell which it is.
    """
    if not recorded.is_file() or Path(origin).parent == recorded.parent:
        return
    former = origin_of(recorded)
    if former != origin and Path(former).is_file():
        raise InputError(
            "study", f"{study!r}, the name of the study of {former}", "a `study:` of its own", file=origin
        )


def unasked(results: Path, asked: set[str]) -> list[Path]:
    """Files and folders of results that no study asks for.

    Parameters
    ----------
    results : folder of the results
    asked : of `shared_places`, of all studies

    Returns
    -------
    paths : as high as possible; downloads, records of the methods' studies and the studies' own folders are
        left alone
    """
    wanted = {Path(place) for place in asked}
    above = {parent for path in wanted for parent in path.parents}

    def visit(path: Path) -> list[Path]:
        beside = path.with_name(path.name.removesuffix(".json"))
        if path in wanted or beside in wanted or path.name == ".snakemake_timestamp":
            return []
        if path not in above:
            return [path]
        return [found for child in sorted(path.iterdir()) for found in visit(child)]

    places = (path for path in sorted(results.iterdir()) if path.is_dir() and path.name not in OTHERS)
    return [found for place in places for found in visit(place)]
