# What to run: configuration, studies, cards. Everything that a user may have got wrong is told here, in one line.

import atexit
import functools
import json
import os
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from collections.abc import Mapping
from pathlib import Path

import yaml
from snakemake.exceptions import WorkflowError
from snakemake.logging import logger

ROOT = Path(workflow.basedir)
sys.path.insert(0, str(ROOT / "scripts"))

from cortexrsa import cards, guided_cards, registration, studies
from cortexrsa.brain.loaders import responses_files
from cortexrsa.brain.loaders.places import local_files
from cortexrsa.claim_names import Cast, Unplayed
from cortexrsa.code import fingerprint, python_files
from cortexrsa.errors import InputError, concerning
from cortexrsa.geometry.registry import DISSIMILARITIES, MEASURES, UNITS
from cortexrsa.jobs import errors_in
from cortexrsa.parsed_before import remember_parsed
from cortexrsa.seeds import card_of, control_of, file_of, holder_of_weights, networks_of, variants_of
from cortexrsa.storage import atomic_path
from cortexrsa.terminal import Planned, seconds_of, speak


def parsed(value):
    """Values of --config with nested mappings, which Snakemake hands over as text."""
    if isinstance(value, Mapping):
        return {key: parsed(item) for key, item in value.items()}
    if isinstance(value, list):
        return [parsed(item) for item in value]
    return yaml.safe_load(value) if isinstance(value, str) else value


def shown(path) -> str:
    """A path as a person wrote it: relative to where Snakemake runs."""
    return os.path.relpath(path)


STARTED = time.time()
OPTIONS = parsed(workflow.config_settings.config)
CONFIG_FILES = [shown(path) for path in workflow.overwrite_configfiles]


def check_command_line() -> None:
    """Refuse what Snakemake would drop, or run into, without a word."""
    given = [word for word in sys.argv[1:] if word in ("--configfile", "--configfiles")]
    if len(given) > 1:
        raise InputError(
            "Snakemake keeps the last --configfile alone: write both files after one of them "
            "(`--configfile A B`: B over A), or run two studies at once (`--config studies=[A,B]`)"
        )
    # Snakemake writes the interpreter into a shell command as it is (its issue 2645)
    wrong = next((sign for sign in sys.executable if not (sign.isalnum() or sign in "._-+@%,:=~/")), None)
    if wrong:
        raise InputError(
            f"the folder of the Python environment has {wrong!r} in its path, which Snakemake cannot run: "
            "move the project to a path of letters, digits, . _ and - alone",
            file=sys.executable,
        )


def has_responses(dataset: str) -> bool:
    """Whether a data set has responses of voxels (else RDMs only)."""
    return DATASETS[dataset]["loader"] != "rdms"


def configured_studies() -> tuple[dict[str, dict], dict[str, str]]:
    """Configurations of the studies of this run, checked, and the files they come from, by name."""
    options = dict(OPTIONS)
    wanted = options.pop("studies", None)
    if wanted is None:
        found = [CONFIG_FILES]
    elif CONFIG_FILES:
        raise InputError("studies", f"{wanted}, beside --configfile", "one of the two", file="--config")
    else:
        names = map(str, wanted if isinstance(wanted, list) else [wanted])
        found = [[name if Path(name).suffix else shown(ROOT / f"studies/{name}.yaml")] for name in names]
    configs, origins = {}, {}
    for files in found:
        content = cards.merged_config(ROOT, files, options)
        name, origin = content["study"], files[-1] if files else "config.yaml"
        if name in configs:
            raise InputError("study", f"{name!r} twice", "a `study:` of its own", file=origin)
        studies.check_origin(name, origin, Path(f"results/studies/{name}/origin.json"))
        configs[name], origins[name] = content, origin
    return configs, origins


try:
    check_command_line()
    CONFIGS, ORIGINS = configured_studies()
    # of resources that are given once a run
    FIRST = next(iter(CONFIGS.values()))
    DATASETS = {
        name: cards.load_card("datasets", name, ROOT)
        for name in sorted({dataset for content in CONFIGS.values() for dataset in content["datasets"]})
    }
    for name, card in DATASETS.items():
        cards.check_folder(name, card)
    # by network: a card with several seeds stands for as many
    MODELS = {
        network: card
        for name in sorted({model for content in CONFIGS.values() for model in content["models"]})
        for network, card in networks_of(name, cards.load_card("models", name, ROOT)).items()
    }
    # those whose weights others have, begin with or are made like, in a study or not
    for name in sorted({name for card in MODELS.values() for name in guided_cards.needed(card)}):
        MODELS |= networks_of(name, cards.load_card("models", name, ROOT))
    TRAINED = {
        name: card
        for name, card in MODELS.items()
        if "training" in card.get("weights", {}) and "variant_of" not in card
    }
    # with the brain
    GUIDED = {name: card for name, card in TRAINED.items() if guided_cards.guidance_of(card)}
    # what responses they are trained with, whatever a study says
    DEFAULTS = cards.merged_config(ROOT, []) if GUIDED else {}
    for name in sorted({guided_cards.guidance_of(card)["dataset"] for card in GUIDED.values()}):
        DATASETS[name] = cards.load_card("datasets", name, ROOT)
        cards.check_folder(name, DATASETS[name])
    # fixed filters: no weights, no GPU
    BASELINES = {name: card for name, card in MODELS.items() if card["family"] == "baseline"}
    with concerning(ORIGINS[FIRST["study"]]):
        CORPORA = {
            name: cards.place_corpus(cards.load_card("corpora", name, ROOT), name, FIRST["corpora"].get(name))
            for name in {card["weights"]["training"]["corpus"] for card in TRAINED.values()}
        }
    # raw BOLD, simulated or not: where it lies, and who was scanned
    BIDS = {
        name: cards.bids_source(name, card)
        for name, card in DATASETS.items()
        if card["loader"] in studies.RAW_BOLD
    }
    for name, content in CONFIGS.items():
        for key in ("mirror", "corpora"):
            if content[key] != FIRST[key]:
                raise InputError(
                    key,
                    f"other values in {name} and {FIRST['study']}",
                    "one for all studies of a run",
                    file=ORIGINS[name],
                )
        for dataset in content["datasets"]:
            for model in content["models"]:
                cards.seen_by(model, MODELS[model], dataset, DATASETS[dataset])
            made = content["inference"]["standard_error"]
            if "unit" in DATASETS[dataset] and made != "one-pass":
                raise InputError(
                    "inference.standard_error",
                    made,
                    f"one-pass: the card of {dataset} has a unit, and {made} would draw single stimuli",
                    file=ORIGINS[name],
                )
            dissimilarity = content["measures"]["dissimilarity"]
            if DISSIMILARITIES[dissimilarity].needs != "patterns" and not has_responses(dataset):
                raise InputError(
                    "measures.dissimilarity",
                    dissimilarity,
                    f"one that needs no responses: {dataset} has RDMs only",
                    file=ORIGINS[name],
                )
    # claims by study, by the name of their file
    CLAIMS, told = {}, []
    for name, content in CONFIGS.items():
        CLAIMS[name], lines = cards.claims_of(content, ROOT, ORIGINS[name])
        registration.registration_of(registration.path_of(name, ROOT))
        told += lines + studies.left_out(content, DATASETS, ORIGINS[name])
    if workflow.is_main_process:
        for line in dict.fromkeys(told):
            logger.warning(line)
    if FIRST["mirror"] and not os.path.isdir(FIRST["mirror"]):
        raise InputError("mirror", repr(FIRST["mirror"]), "a folder", file=ORIGINS[FIRST["study"]])
    former = studies.former_results(Path("results"), list(DATASETS))
    if former:
        raise InputError(former)
except InputError as error:
    sys.exit(f"Error: {error}")

# jobs on a cluster parse the workflow again, so they see the mirror too
if FIRST["mirror"]:
    os.environ.setdefault("CORTEXRSA_MIRROR", str(FIRST["mirror"]))
# numba keeps compiled code beside the source or in the home folder, and fails where it may write to neither
if not os.access(ROOT / "scripts/cortexrsa", os.W_OK):
    os.environ.setdefault("NUMBA_CACHE_DIR", os.path.abspath(".snakemake/numba"))


def cards_of(study: str) -> list[str]:
    """Names of the networks' cards of a study, in an order that the configuration does not change."""
    return sorted(CONFIGS[study]["models"])


def players_of(study: str, role: str) -> list:
    """Networks that play a role in the claims of a study; None alone where nobody does."""
    families = {model: MODELS[model]["family"] for model in cards_of(study)}
    try:
        return Cast(families, CONFIGS[study]["roles"]["networks"]).members({"role": role})
    except Unplayed:
        return [None]


def models_of(study: str) -> list[str]:
    """Networks of a study, each seed of a card for itself."""
    return [network for name in cards_of(study) for network in networks_of(name, MODELS[name])]


def others_of(card: dict) -> dict[str, str]:
    """The networks whose weights a guided training needs: that of a control, and that which it begins with."""
    training = card["weights"]["training"]
    other = training["brain"].get("options", {}).get("card")
    found = {"control": other, "start": training.get("start")}
    return {part: name for part, name in found.items() if name}


def brain_of(model: str) -> dict:
    """`weights.training.brain` of a network."""
    return GUIDED[model]["weights"]["training"]["brain"]


def responses_of_guidance(brain: dict) -> dict:
    """The settings that make the responses that a network is trained with: those of config.yaml, or its card's.

    Not a study's: networks are shared by studies.
    """
    return {**DEFAULTS, "glm": DEFAULTS["glm"] | brain["glm"]}


def chosen_apart(brain: dict, dataset: str) -> bool:
    """Whether layers of a guided network are chosen on training stimuli that it was not fitted to.

    Not in a film, whose stimuli follow each other, nor in another data set, which may have some of the images.
    """
    return brain["dataset"] == dataset and not isinstance(DATASETS[dataset].get("unit"), dict)


def guided_in(study: str) -> dict[str, dict[str, str]]:
    """Cards of a study that are trained with the brain, with the cards of their controls by kind."""
    names = cards_of(study)
    return {
        name: {control_of(other): other for other in names if control_of(other) and file_of(other) == name}
        for name in names
        if name in GUIDED and control_of(name) is None
    }


def networks_guided(study: str) -> list[str]:
    """Networks of a study that are trained with the brain, and their controls, each seed for itself."""
    cards_guided = guided_in(study)
    return [network for network in models_of(study) if file_of(network) in cards_guided]


def trained_in(study: str) -> list[str]:
    """Networks that the workflow trains for a study, those included whose weights a variant has."""
    holders = dict.fromkeys(holder_of_weights(model, MODELS[model]) for model in models_of(study))
    return [model for model in holders if model in TRAINED]


MODULES = python_files(ROOT / "scripts")
remember_parsed()


@functools.cache
def code(script: str) -> str:
    """Fingerprint of a script and of the library modules it imports: a change reruns its rule."""
    try:
        return fingerprint(ROOT / "scripts" / script, ROOT, MODULES)
    except InputError as error:
        sys.exit(f"Error: {error}")


def either(names) -> str:
    """Wildcard constraint: one of the names (nothing at all, if there are none)."""
    return "|".join(names) or "(?!)"


def datasets_with(*loaders: str) -> str:
    """Wildcard constraint: the data sets that one of the loaders reads."""
    return either(name for name, card in DATASETS.items() if card["loader"] in loaders)


def corpora_of_kind(*kinds: str) -> str:
    """Wildcard constraint: the corpora of some kinds."""
    return either(name for name, card in CORPORA.items() if card["kind"] in kinds)


wildcard_constraints:
    study=either(CONFIGS),
    dataset=either(DATASETS),
    model=either(MODELS),
    corpus=either(CORPORA),
    subject="[A-Za-z0-9]+",
    shard=r"\d+-of-\d+",
    glm="[^/]+",
    responses="[^/]+",
    dissimilarity="[^/]+",
    units=either(UNITS),
    features="[^/]+",
    card=either(name for name, card in {**DATASETS, **MODELS, **CORPORA}.items() if cards.card_files(card)),
