# Configuration, cards and helpers that the rules share.

import atexit
import functools
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

import yaml
from snakemake.exceptions import WorkflowError
from snakemake.logging import logger
from snakemake.utils import update_config

ROOT = Path(workflow.basedir)
sys.path.insert(0, str(ROOT / "scripts"))

from cortexrsa import cards
from cortexrsa.brain.loaders.places import local_files
from cortexrsa.code import fingerprint
from cortexrsa.errors import InputError
from cortexrsa.geometry.registry import DISSIMILARITIES
from cortexrsa.jobs import errors_in


def parsed(value):
    """Values of --config with nested mappings, which Snakemake hands over as text."""
    if isinstance(value, Mapping):
        return {key: parsed(item) for key, item in value.items()}
    if isinstance(value, list):
        return [parsed(item) for item in value]
    return yaml.safe_load(value) if isinstance(value, str) else value


STARTED = time.time()
OPTIONS = workflow.config_settings.config
CONFIG_FILES = [os.path.relpath(path) for path in workflow.overwrite_configfiles] or ["config.yaml"]

try:
    # Snakemake read these files already, but takes the last of duplicate keys without a word
    for path in ["config.yaml", *CONFIG_FILES]:
        cards.read_yaml(path)
    update_config(config, parsed(OPTIONS))
    CONFIG = cards.load_config_checked(config, ROOT, CONFIG_FILES[-1] + " or --config" * bool(OPTIONS))
    DATASETS = {name: cards.load_card("datasets", name, ROOT) for name in sorted(CONFIG["datasets"])}
    MODELS = {name: cards.load_card("models", name, ROOT) for name in sorted(CONFIG["models"])}
    TRAINED = {name: card for name, card in MODELS.items() if "training" in card.get("weights", {})}
    # fixed filters: no weights, no GPU
    BASELINES = {name: card for name, card in MODELS.items() if card["family"] == "baseline"}
    CORPORA = {
        name: cards.place_corpus(
            cards.load_card("corpora", name, ROOT), name, CONFIG["corpora"].get(name), CONFIG_FILES[-1]
        )
        for name in {card["weights"]["training"]["corpus"] for card in TRAINED.values()}
    }
except InputError as error:
    sys.exit(f"Error: {error}")

if DISSIMILARITIES[CONFIG["measures"]["dissimilarity"]].needs != "patterns":
    for name, card in DATASETS.items():
        if card["loader"] == "rdms":
            found = f"found {CONFIG['measures']['dissimilarity']}, expected one that needs no responses"
            sys.exit(f"Error: {CONFIG_FILES[-1]}: measures.dissimilarity: {found}: {name} has RDMs only")

# jobs on a cluster parse the workflow again, so they see the mirror too
if CONFIG["mirror"]:
    if not os.path.isdir(CONFIG["mirror"]):
        sys.exit(f"Error: {CONFIG_FILES[-1]}: mirror: found {CONFIG['mirror']!r}, expected a folder")
    os.environ.setdefault("CORTEXRSA_MIRROR", str(CONFIG["mirror"]))


# raw BOLD, simulated or not: where it lies, and who was scanned
try:
    BIDS = {
        name: cards.bids_source(name, card)
        for name, card in DATASETS.items()
        if card["loader"] in ("simulated", "bids")
    }
except InputError as error:
    sys.exit(f"Error: {error}")

# what of the configuration makes betas
GLM_SETTINGS = (
    "betas",
    "hrf",
    "drift",
    "high_pass",
    "drift_order",
    "noise",
    "slice_time_ref",
    "smoothing",
    "zscore",
)


def datasets_with(*loaders: str) -> str:
    """Wildcard constraint: the data sets that one of the loaders reads."""
    return either(name for name, card in DATASETS.items() if card["loader"] in loaders)


def bids_files(wildcards) -> dict:
    """Files of a BIDS folder that a job depends on: those of its subject, or events and images of all."""
    source = BIDS[wildcards.dataset]
    if DATASETS[wildcards.dataset]["loader"] == "simulated":
        return {"bids": source["folder"]}
    subject = getattr(wildcards, "subject", None)
    return {
        "files": cards.bids_files(source, [subject] if subject else source["subjects"], images=not subject)
    }


def rdm_files(wildcards) -> dict:
    """Files of a data set of RDMs: its downloads, where it has any, and those on this disk."""
    card = DATASETS[wildcards.dataset]
    downloads = {"downloads": f"results/downloads/{wildcards.dataset}"} if cards.card_files(card) else {}
    return downloads | {"files": local_files(card)}


def glm_files(wildcards, name: str) -> list[str]:
    """A result of the GLM, of every subject."""
    subjects = BIDS[wildcards.dataset]["subjects"]
    return [f"results/{wildcards.dataset}/glm/sub-{subject}_{name}" for subject in subjects]


def voxel_selection() -> dict | None:
    """How voxels are selected by their reliability, if at all."""
    if CONFIG["glm"]["minimum_reliability"] is None:
        return None
    settings = {"minimum": CONFIG["glm"]["minimum_reliability"]}
    return settings | {"splits": CONFIG["inference"]["ceiling_splits"], "seed": CONFIG["inference"]["seed"]}


def either(names) -> str:
    """Wildcard constraint: one of the names (nothing at all, if there are none)."""
    return "|".join(names) or "(?!)"


@functools.cache
def code(script: str) -> str:
    """Fingerprint of a script and of the library modules it imports: a change reruns its rule."""
    try:
        return fingerprint(ROOT / "scripts" / script, ROOT)
    except InputError as error:
        sys.exit(f"Error: {error}")


def part_of_model(*keys: str):
    """Function of the wildcards: the given parts of the model's card."""
    return lambda wildcards: {key: MODELS[wildcards.model].get(key) for key in keys}


def weights_of(wildcards) -> dict:
    """The file with a network's weights, where a job makes or downloads it."""
    if wildcards.model in TRAINED:
        return {"weights": f"results/networks/{wildcards.model}/weights.safetensors"}
    if "url" in MODELS[wildcards.model].get("weights", {}):
        return {"downloads": f"results/downloads/{wildcards.model}"}
    return {}


def corpus_of(model: str) -> str:
    """Name of the corpus that a network is trained on."""
    return TRAINED[model]["weights"]["training"]["corpus"]


def corpus_files(wildcards) -> dict:
    """Index of the corpus that a network is trained on, and its images where they are one array."""
    name = corpus_of(wildcards.model)
    files = {"index": f"results/corpora/{name}/index.tsv"}
    if CORPORA[name]["kind"] != "imagefolder":
        files["images"] = f"results/corpora/{name}/images.npy"
    return files


def corpora_of_kind(*kinds: str) -> str:
    """Wildcard constraint: the corpora of some kinds."""
    return either(name for name, card in CORPORA.items() if card["kind"] in kinds)


def learning_of(wildcards) -> dict:
    """What the networks trained in this run learned, where any is trained."""
    return {"learning": f"results/{wildcards.dataset}/learning.csv"} if TRAINED else {}


def extraction_settings(wildcards) -> dict:
    """The model's card as far as it changes activations, and the projection where there is one."""
    settings = part_of_model("network", "weights", "preprocessing", "layers")(wildcards)
    if CONFIG["projection"]:
        # which mean the RDM takes out decides what a projection must keep
        centred = CONFIG["measures"]["dissimilarity"] == "correlation"
        dimensions, seed = CONFIG["projection"], CONFIG["inference"]["seed"]
        settings["projection"] = {"dimensions": dimensions, "seed": seed, "centred": centred}
    return settings


def kept_or_temporary(path: str):
    """A folder of activations, as the configuration wants it."""
    return directory(path) if CONFIG["keep_activations"] else temp(directory(path))


def shards_of(wildcards) -> list[str]:
    """The folders with a network's activations to the stimuli of a data set, one for each shard."""
    return activations_of(wildcards.dataset, wildcards.model)


def activations_of(dataset: str, model: str) -> list[str]:
    """The same, by name."""
    shards = DATASETS[dataset]["shards"]
    return [f"results/{dataset}/activations/{model}/{k}-of-{shards}" for k in range(1, shards + 1)]


def recovery_layers(wildcards) -> dict:
    """Layers in which `recovery` plants truth: of the first classifier, the generative network, and Gabor energy."""
    roles = CONFIG["claims"]["models"]
    names = {
        "network": (roles.get("task_optimised") or [None])[0],
        "other": roles.get("generative"),
        "low_level": "gabor",
    }
    for part, name in names.items():
        if name not in MODELS:
            raise WorkflowError(
                f"recovery needs a {part.replace('_', '-')} network, found {name} in no models"
            )
    return {part: activations_of(wildcards.dataset, name) for part, name in names.items()}


def scaled(amount: int):
    """Memory or run time of a job: `amount`, and as much again at every retry (`snakemake --retries`)."""
    return lambda wildcards, attempt: amount * attempt


def scaled_from_card(stage: str, name: str):
    """Memory or run time of a network's job, from its card or the configuration; more at every retry."""
    return lambda wildcards, attempt: (
        MODELS[wildcards.model].get("resources", {}).get(name, CONFIG[stage][name]) * attempt
    )


def scaled_with_input(least: int, factor: float):
    """Memory (MB) or run time (minutes) of a job: `factor` for each MB it reads, `least` or more; more at every retry."""
    return lambda wildcards, input, attempt: attempt * max(least, int(factor * input.size_mb))


def scaled_with_rdms(least: int):
    """Memory of a network's RDMs (MB): all layers' RDMs and the Gram matrix of one; as much again at every retry."""

    def memory(wildcards, input, attempt) -> int:
        with open(input.stimuli) as table:
            n = sum(1 for _ in table) - 1
        layers = len(MODELS[wildcards.model]["layers"])
        return attempt * max(least, int((4 * layers + 24) * n**2 / 1e6))

    return memory


def has_responses(dataset: str) -> bool:
    """Whether a data set has responses of voxels (else RDMs only)."""
    return DATASETS[dataset]["loader"] != "rdms"


def responses_of(wildcards) -> dict:
    """The responses of a data set, where it has any."""
    return (
        {"responses": f"results/{wildcards.dataset}/responses.nc"} if has_responses(wildcards.dataset) else {}
    )


def results_of(dataset: str) -> list[str]:
    """What a user asked for: the tables and figures of a data set."""
    figures = ["profiles", "rois", "heatmap", "rdms", "mds", "centroids", "verdicts", "stimuli", "inputs"]
    if has_responses(dataset) and not (dataset in BIDS and CONFIG["glm"]["betas"] == "stimulus"):
        figures.append("reliability")
    tables = ["scores", "ceilings", "claims", "profiles"]
    if dataset in BIDS:
        figures += ["masks", "tsnr", "design"]
    if DATASETS[dataset]["loader"] == "simulated":
        figures.append("beta_recovery")
    if TRAINED:
        figures.append("learning")
        tables.append("learning")
    return [f"results/{dataset}/{table}.csv" for table in tables] + [
        f"results/{dataset}/figures/{figure}.{suffix}" for figure in figures for suffix in ("svg", "png")
    ]


def intermediates() -> list[str]:
    """What stages make for later ones, and keep.

    Asked for by name: a failed or killed job takes its former outputs with it, and Snakemake does not miss a file
    that nobody asks for. Tables of the settings before would pass for current. Activations, which may be temporary,
    and downloads, which are what their checksum says, are left out: those who read them know their settings.
    """
    files = []
    for dataset, card in DATASETS.items():
        kept = ["stimuli.npy", "stimuli.tsv", "inputs.nc", "rdms/brain.h5"]
        kept += [
            f"{folder}/{model}.{suffix}"
            for model in MODELS
            for folder, suffix in (("rdms", "h5"), ("rsa", "nc"))
        ]
        if has_responses(dataset):
            kept.append("responses.nc")
        if card["loader"] == "simulated":
            kept += ["bids", "truth.nc"]
        if dataset in BIDS:
            kept += [f"glm/sub-{subject}_betas.nc" for subject in BIDS[dataset]["subjects"]]
        files += [f"results/{dataset}/{file}" for file in kept]
    for model in TRAINED:
        files += [f"results/networks/{model}/{file}" for file in ("weights.safetensors", "metrics.csv")]
    return files + [f"results/corpora/{corpus}/index.tsv" for corpus in CORPORA]


def inference_settings(*keys: str):
    """Function of the wildcards: comparison, the given keys of `inference`, and how to take the subjects."""
    return lambda wildcards: {
        "comparison": CONFIG["measures"]["comparison"],
        "inference": {
            **{key: CONFIG["inference"][key] for key in keys},
            "subject_effect": DATASETS[wildcards.dataset]["subject_effect"],
        },
    }


def truth_of(wildcards) -> dict:
    """Of the calibration study: the true scores that intervals should cover, where there is a signal."""
    population = "one" if wildcards.subjects == "1" else "several"
    path = f"results/calibration/truth-{population}-{wildcards.signal}.npy"
    return {} if wildcards.signal == "none" else {"truth": path}


def labels_of_models() -> dict:
    """Label and family of every model: what figures show of the cards."""
    return {name: {"label": card["label"], "family": card["family"]} for name, card in MODELS.items()}


def figure(name: str, category: str, content: str) -> dict:
    """Both files of a figure; the SVG goes into the report with its caption."""
    return {
        f"{name}_svg": report(
            f"results/{{dataset}}/figures/{name}.svg",
            caption=f"../resources/captions/{name}.rst",
            category=category,
            labels={"data set": "{dataset}", "content": content},
        ),
        f"{name}_png": f"results/{{dataset}}/figures/{name}.png",
    }


def repeat_errors() -> None:
    """Print the lines of error of the jobs that failed once more, below all that Snakemake still says."""
    lines = errors_in("results/logs", STARTED)
    atexit.register(print, *lines[:20], sep="\n", file=sys.stderr)


def make_report(dataset: str) -> None:
    """Write report.html of a data set, if all its results are there, and say where things are."""
    targets = results_of(dataset)
    if not all(os.path.exists(target) for target in targets):
        return
    path = f"results/{dataset}/report.html"
    temporary = f"results/{dataset}/.report.html"
    # the same configuration, whatever files and options it came from
    with tempfile.NamedTemporaryFile("w", suffix=".json") as effective:
        json.dump(config, effective)
        effective.flush()
        command = [sys.executable, "-m", "snakemake", "--quiet", "rules", "progress", "--nolock"]
        command += ["--snakefile", str(workflow.main_snakefile), "--configfile", effective.name]
        run = subprocess.run(
            [*command, "--report", temporary, "--", *targets], capture_output=True, text=True
        )
    if run.returncode:
        Path(temporary).unlink(missing_ok=True)
        again = f"snakemake --configfile {' '.join(CONFIG_FILES)} --report {path}"
        reason = " ".join(run.stderr.splitlines()[-3:])
        raise WorkflowError(f"{path} could not be made: {reason}. All else is there; make it by: {again}")
    os.replace(temporary, path)
    logger.info(f"Results of {dataset}: {path}, and the tables and figures beside it in results/{dataset}/")


wildcard_constraints:
    dataset=either(DATASETS),
    model=either(MODELS),
    corpus=either(CORPORA),
    subject="[A-Za-z0-9]+",
    card=either(name for name, card in {**DATASETS, **MODELS, **CORPORA}.items() if cards.card_files(card)),
