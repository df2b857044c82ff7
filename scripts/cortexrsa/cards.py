"""Cards (YAML descriptions of models, data sets and corpora) and the configuration."""

from __future__ import annotations

import contextlib
import re
import urllib.parse
from pathlib import Path

from cortexrsa import claim_files, guided_cards
from cortexrsa.errors import InputError, concerning, suggestion
from cortexrsa.formats import bids_names
from cortexrsa.formats.yaml_files import read_mapping, read_yaml
from cortexrsa.schemas import definition, validate
from cortexrsa.seeds import CONTROL, file_of, networks_of
from cortexrsa.storage import atomic_path
from cortexrsa.weight_names import check_patterns

# names of files and folders of results/, which a card of that name would overwrite
RESERVED = {
    "datasets": {
        *("downloads", "corpora", "networks", "logs", "benchmarks"),
        *("calibration", "recovery", "guided_recovery", "power", "bench", "archives", "studies", "site"),
    },
    "models": {"brain"},
}


# what a variant of a network may have of its own
OF_VARIANTS = ("label", "description", "preprocessing", "layers", "batch_size", "resources")

# beside verdicts on simulated data
OF_SIMULATION = (
    "These data are simulated, so verdicts test the pipeline and say nothing of brains: indicators of the "
    "labels that the classifiers learn make up half of the drive of LO, and V1 is a relative of the Gabor "
    "baseline, so that H1, H2 and H4 follow from how the data are made."
)


def canonical(value: object) -> object:
    """The same value with all mappings as plain dicts in the order of their keys; lists keep their order."""
    if isinstance(value, dict):
        return {key: canonical(value[key]) for key in sorted(value)}
    if isinstance(value, list | tuple):
        return [canonical(item) for item in value]
    return value


def card_names(kind: str, root: str | Path) -> list[str]:
    """Names of the cards of a kind (models, datasets or corpora) below the project folder `root`."""
    return sorted(path.stem for path in Path(root, "resources", kind).glob("*.yaml"))


def check_card_name(kind: str, name: str, file: str | Path, field: str) -> None:
    """Refuse what cannot name a card, since files and folders are called after it.

    Parameters
    ----------
    kind : models or datasets
    name : of a card
    file, field : where the name stands, for an error
    """
    schema = definition("config", "name")
    if not re.search(schema["pattern"], name):
        raise InputError(field, repr(name), schema["description"], file=file)
    if name in RESERVED[kind]:
        raise InputError(field, repr(name), "a name that no file or folder of results/ has", file=file)


def write_card(kind: str, name: str, text: str, root: str | Path) -> Path:
    """Write the text of a new card and return its path.

    Raises
    ------
    InputError : there is a card of that name.
    """
    path = Path(root, "resources", kind, f"{name}.yaml")
    if path.exists():
        raise InputError("card", "one there already", "another name after --out", file=path)
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return path


def load_card(kind: str, name: str, root: str | Path) -> dict:
    """Read `resources/KIND/NAME.yaml` below `root`, check it and fill in its defaults.

    Parameters
    ----------
    kind : models, datasets or corpora
    name : name of the card; NAME~CONTROL for a control of a network that is trained with the brain
    root : project folder

    Returns
    -------
    card : dict of plain types, mappings in the order of their keys

    Raises
    ------
    InputError : no such card (with the nearest), or a fault in it.
    """
    own, name = name, file_of(name) if kind == "models" else name
    file = f"resources/{kind}/{name}.yaml"
    names = card_names(kind, root)
    if name not in names:
        raise InputError("card", "no such file", suggestion(name, names), file=file)
    card = _valid(kind, name, names, root)
    if kind == "models":
        if "training" in card.get("weights", {}) and not (
            "size" in card["preprocessing"] or "variant_of" in card
        ):
            expected = "size, that of the training images (a card with variant_of may have it)"
            raise InputError(
                "preprocessing.pixels_per_degree", "in a network that is trained here", expected, file=file
            )
        check_patterns(card.get("weights", {}), file)
        if card["seeds"] > 1 and not {"training", "random"} & card.get("weights", {}).keys():
            raise InputError("seeds", card["seeds"], "1: these weights come without a random seed", file=file)
    if card.get("loader") == "responses":
        _check_responses_card(card, file)
    corpus = card.get("weights", {}).get("training", {}).get("corpus") if kind == "models" else None
    if corpus is not None and corpus not in card_names("corpora", root):
        expected = suggestion(corpus, card_names("corpora", root))
        raise InputError("weights.training.corpus", repr(corpus), expected, file=file)
    if kind == "models":
        dataset = _check_guided(name, card, root, file)
        if dataset is not None:
            card = card | {"trained_on": _sources(card, dataset, root)}
        networks = guided_cards.with_controls(name, card)
        if own not in networks:
            found = own.partition(CONTROL)[2]
            controls = [network.partition(CONTROL)[2] for network in networks if CONTROL in network]
            raise InputError("controls", f"no {found!r}", suggestion(found, controls), file=file)
        card = networks[own]
    return canonical(card)


def _valid(kind: str, name: str, names: list[str], root: str | Path) -> dict:
    """Content of a card, valid by its schema; of a variant with what it has of its base."""
    file = f"resources/{kind}/{name}.yaml"
    content = read_yaml(Path(root, file), file)
    if kind == "models" and isinstance(content, dict) and "variant_of" in content:
        content = _of_variant(content, names, root, file)
    return validate(kind, content, file)


def _sources(card: dict, dataset: dict, root: str | Path) -> list[str]:
    """`trained_on` of a network that is trained with the brain: with its stimuli, and what its start saw."""
    training = card["weights"]["training"]
    found = list(card.get("trained_on", []))
    if "start" in training:
        found += trained_on(load_card("models", training["start"], root))
    return list(dict.fromkeys([*found, training["brain"]["dataset"], *dataset.get("images_from", [])]))


def _check_guided(name: str, card: dict, root: str | Path, file: str) -> dict | None:
    """What a schema cannot say of a network that is trained with the brain; the card of its data set."""
    brain, dataset = guided_cards.guidance_of(card), None
    names = {kind: card_names(kind, root) for kind in ("datasets", "models")}
    if brain is not None and brain["dataset"] in names["datasets"]:
        dataset = load_card("datasets", brain["dataset"], root)
    if brain is not None:
        brain["glm"] = _glm_of(brain["glm"], file)
    guided_cards.check_guided(card, file, dataset, names)
    for field, other, layer in guided_cards.others_named(card):
        # a variant of a guided network is one too, so that cards cannot name each other in a circle
        content = {} if other == name else _valid("models", other, names["models"], root)
        if other == name or guided_cards.guidance_of(content) is not None:
            expected = "a network that is not trained with the brain itself"
            raise InputError(field, repr(other), expected, file=file)
        if layer is None and "weights" not in content:
            raise InputError(field, f"{other!r}, a baseline", "a network with weights", file=file)
        layers = content["layers"]
        if layer is not None and layer not in layers:
            found = f"the layer {layer!r} of {other}"
            raise InputError(field, found, suggestion(layer, layers), file=file)
    return dataset


def _glm_of(glm: dict, file: str) -> dict:
    """`glm` of a network that is trained with the brain, valid by the schema of the configuration."""
    try:
        filled = validate("config", {"datasets": ["any"], "models": ["any"], "glm": glm}, file)["glm"]
    except InputError as error:
        error.field = f"weights.training.brain.{error.field}"
        raise
    return {key: filled[key] for key in glm}


def with_controls(models: list[str], root: str | Path) -> list[str]:
    """Names of networks, each with those of its controls after it, see `guided_cards.with_controls`."""
    found = []
    for name in models:
        found.append(name)
        file = f"resources/models/{file_of(name)}.yaml"
        content = read_yaml(Path(root, file), file)
        # the others need not be checked yet; a variant has the controls of its base
        if isinstance(content, dict) and content.keys() & {"controls", "variant_of"}:
            for control in load_card("models", name, root)["controls"]:
                found.append(f"{name}{CONTROL}{guided_cards.named_control(control)[0]}")
    return list(dict.fromkeys(found))


def _of_variant(own: dict, names: list[str], root: str | Path, file: str) -> dict:
    """Content of the card that another one is a variant of, with what differs put in its place."""
    base = own["variant_of"]
    if base not in names:
        raise InputError("variant_of", repr(base), suggestion(str(base), names), file=file)
    of_base = f"resources/models/{base}.yaml"
    content = read_yaml(Path(root, of_base), of_base)
    if isinstance(content, dict) and "variant_of" in content:
        expected = f"a card that is no variant itself: {content['variant_of']}"
        raise InputError("variant_of", repr(base), expected, file=file)
    validate("models", content, of_base)
    for key in own:
        if key not in ("variant_of", *OF_VARIANTS):
            expected = f"what a variant may have of its own: {suggestion(key, OF_VARIANTS)}"
            raise InputError(str(key), "an unknown key", expected, file=file)
    for key in ("label", "preprocessing"):
        if own.get(key) in (None, "", {}):
            raise InputError(key, "nothing", "what tells the variant apart", file=file)
    if not isinstance(own["preprocessing"], dict):
        return content | own
    given = own["preprocessing"]
    sized = {"size", "pixels_per_degree"}
    kept = {
        key: value
        for key, value in content["preprocessing"].items()
        if not (key in sized and sized & given.keys())
    }
    return content | own | {"preprocessing": kept | given}


def seen_by(name: str, model: dict, of: str, dataset: dict) -> dict:
    """`preprocessing` of a network for the images of a data set: what its activations depend on.

    Parameters
    ----------
    name, model : of the network, with its card from `load_card`
    of, dataset : of the data set, the same

    Returns
    -------
    dict as of `networks.settings.Preprocessing`, with `background` where the data set's card has it

    Raises
    ------
    InputError : the network has pixels a degree, and the data set's card no degrees.
    """
    found = dict(model["preprocessing"])
    density = found.pop("pixels_per_degree", None)
    if density is not None:
        if "degrees" not in dataset:
            expected = f"the visual angle of an image, since {file_of(name)} has pixels_per_degree"
            raise InputError("degrees", "nothing", expected, file=f"resources/datasets/{of}.yaml")
        found["size"] = max(1, round(density * dataset["degrees"]))
    return found | ({"background": dataset["background"]} if "background" in dataset else {})


def cards_of(config: dict, root: str | Path) -> tuple[dict[str, dict], dict[str, dict]]:
    """Cards of the data sets and of the networks of a checked configuration, by name; see `load_card`.

    Networks of several seeds are there once for each, see `seeds.networks_of`.
    """
    datasets = {name: load_card("datasets", name, root) for name in config["datasets"]}
    models = [networks_of(name, load_card("models", name, root)) for name in config["models"]]
    return datasets, {name: card for seeds in models for name, card in seeds.items()}


def untrained_control(name: str, models: dict[str, dict]) -> str | None:
    """The untrained network that shows what training adds to a network, if there is one.

    Parameters
    ----------
    name : of the network
    models : cards of the study's networks by name

    Returns
    -------
    name : of the untrained network of the same architecture (of those with the same preprocessing, if there
        are any), else of any; the first one by name. None for untrained networks and baselines
    """
    card = models[name]
    if card["family"] in ("untrained", "baseline"):
        return None
    untrained = sorted(other for other in models if models[other]["family"] == "untrained")
    same = [other for other in untrained if models[other]["network"]["name"] == card["network"]["name"]]
    alike = [other for other in same if models[other]["preprocessing"] == card["preprocessing"]]
    return next(iter(alike or same or untrained), None)


def untrained_controls(models: dict[str, dict], of: str, dataset: dict) -> dict[str, str | None]:
    """`untrained_control` of every network of a study, by the sizes that images of a data set have for them.

    Parameters
    ----------
    models : cards of the study's networks by name
    of, dataset : of the data set, as of `seen_by`
    """
    seen = {name: card | {"preprocessing": seen_by(name, card, of, dataset)} for name, card in models.items()}
    return {name: untrained_control(name, seen) for name in seen}


def generalises(card: dict, group: str = "mean-score") -> str:
    """What the intervals of a data set's results are about, in words; and what simulated data cannot show.

    Parameters
    ----------
    card : of a data set, from `load_card`
    group : what the score of several people is, `inference: group` of the configuration
    """
    unit, effect = card.get("unit"), card.get("subject_effect")
    stimuli = "other stimuli, each drawn for itself"
    if isinstance(unit, dict):
        stimuli = f"other moments of the film (blocks of {unit['blocks']} stimuli are drawn)"
    elif unit and card.get("categories") == "fixed":
        stimuli = f"other stimuli of the same categories ({unit}), not other categories"
    elif unit:
        stimuli = f"other categories ({unit}) with as many stimuli each (where there are fewer than ten, "
        stimuli += "other stimuli of the same ones)"
    people = {"random": "and other people, where there are several", "fixed": "not other people"}
    told = f"Intervals are about {stimuli}, {people.get(effect, 'and other people, from five on')}."
    if group == "mean-rdm":
        told += " Where there are several people, RSA scores are those against their mean RDM (what they"
        told += " share), not the means of their scores (a typical person)."
    return f"{told} {OF_SIMULATION}" if card["loader"] == "simulated" else told


def trained_on(card: dict) -> list[str]:
    """Sources of the images that a network was trained on, as far as its card names them.

    Parameters
    ----------
    card : of a model, from `load_card`
    """
    corpus = card.get("weights", {}).get("training", {}).get("corpus")
    return [*card.get("trained_on", []), *([corpus] if corpus else [])]


def card_files(card: dict) -> dict[str, dict]:
    """Files that a model or data set downloads.

    Parameters
    ----------
    card : from `load_card`

    Returns
    -------
    files : name below results/downloads/CARD -> {url, sha256 (None where it is not known)}; for a file that
        needs an account {account, sha256}, without a url
    """
    entries = list(card.get("files", []))
    if "url" in card.get("weights", {}):
        entries.append(card["weights"])
    files = {}
    for entry in entries:
        if "url" in entry:
            files[entry["file"]] = {"url": entry["url"], "sha256": entry.get("sha256")}
            continue
        if "account" in entry:
            files[entry["file"]] = {"account": entry["account"], "sha256": entry.get("sha256")}
            continue
        folder = entry["folder"] + "/" if "folder" in entry else ""
        for name, sha256 in entry["sha256"].items():
            url = entry["base_url"].rstrip("/") + "/" + urllib.parse.quote(name)
            files[folder + name] = {"url": url, "sha256": sha256}
    return files


def bids_source(name: str, card: dict) -> dict:
    """Where the raw BOLD of a data set lies, and whose it is.

    Parameters
    ----------
    name : of the data set
    card : from `load_card`, of the loader bids, or simulated (its BIDS folder is a result of the workflow)

    Returns
    -------
    dict of folder, subjects (labels without sub-), rois and options as the loader bids has them; for a
    simulated data set also simulated, what its card says

    Raises
    ------
    InputError : no such folder, no subjects in it, or one of those named is not there; runs that are
        incomplete (see `bids_names.runs_of_all`); no regular expression; a union of unknown ROIs.
    """
    if card["loader"] == "simulated":
        mask = "derivatives/rois/sub-{subject}/anat/sub-{subject}_label-%s_mask.nii.gz"
        rois = {roi: {"mask": mask % roi} for roi in card["rois"]}
        folder = f"results/{name}/bids"
        as_bids = {key: card[key] for key in ("description", "citation", "licence")}
        as_bids |= {"loader": "bids", "path": folder, "rois": rois, "options": {"task": "images"}}
        subjects = [f"{subject:02d}" for subject in range(1, card["options"].get("subjects", 1) + 1)]
        # what made the folder stands in the provenance of what is read from it
        made_by = {"simulated": {"rois": card["rois"], "options": card["options"]}}
        card = validate("datasets", as_bids, folder)
    else:
        made_by = {}
        folder = str(Path(card["path"]).expanduser())
        file = f"resources/datasets/{name}.yaml"
        with concerning(file):
            bids_names.subject_labels(card["path"], card["options"])
        _check_bids_card(card, file)
        # subjects without runs are left out here, where the card says so
        subjects = list(bids_names.runs_of_all(folder, card["options"])[0])
    source = {"folder": folder, "subjects": subjects, "rois": card["rois"], "options": card["options"]}
    return canonical(source | made_by)


def _check_bids_card(card: dict, file: str) -> None:
    """What a schema cannot say of a card of raw BOLD."""
    _check_pattern(card["options"]["events"]["pattern"], "options.events.pattern", file)
    _check_unions(card["rois"], file)


def _check_pattern(pattern: str | None, field: str, file: str) -> None:
    try:
        re.compile(pattern or "")
    except re.error as error:
        expected = f"a regular expression ({error})"
        raise InputError(field, repr(pattern), expected, file=file) from error


def _check_unions(rois: dict[str, dict], file: str) -> None:
    single = [roi for roi, place in rois.items() if "union" not in place]
    for roi, place in rois.items():
        for part in place.get("union", []):
            if part not in single:
                raise InputError(f"rois.{roi}.union", repr(part), suggestion(part, single), file=file)


def _check_responses_card(card: dict, file: str) -> None:
    """What a schema cannot say of a card of responses."""
    options, rois = card["options"], card["rois"]
    _check_pattern(options["trials"]["pattern"], "options.trials.pattern", file)
    _check_unions(rois, file)
    rest = [name for name, rule in (options["splits"] or {}).items() if "rest" in rule]
    if len(rest) > 1:
        raise InputError("options.splits", f"rest in {' and '.join(rest)}", "rest in one split", file=file)
    if "group" in options["subjects"]:
        expected = "another name: results use this one for the mean of all"
        raise InputError("options.subjects", "a subject 'group'", expected, file=file)
    if not (card.get("path") or card.get("files")):
        raise InputError("path", "nothing", "the folder of the data on this disk", file=file)
    by_roi = "{roi}" in options["values"]["file"]
    for roi, place in rois.items():
        if ("file" in place) != by_roi and "union" not in place and "column" not in place:
            expected = (
                "file: what stands for {roi} in options.values.file" if by_roi else "{roi} in values.file"
            )
            raise InputError(f"rois.{roi}", f"{', '.join(sorted(place))}", expected, file=file)
        if "column" in place and not options["voxels"]["table"]:
            raise InputError(
                "options.voxels.table", "nothing", f"the table with the column of {roi}", file=file
            )
    needed = {
        "options.trials.base": (
            options["trials"]["index"],
            options["trials"]["base"],
            "what the index counts from",
        ),
        "options.voxels.order": (
            options["voxels"]["mask"],
            options["voxels"]["order"],
            "how voxels are ordered",
        ),
    }
    for field, (given, value, what) in needed.items():
        if given is not None and value is None:
            choices = "C (NumPy, nilearn) or F (MATLAB)" if field.endswith("order") else "0 or 1"
            raise InputError(field, "nothing", f"{choices}: {what}", file=file)


def check_folder(name: str, card: dict) -> None:
    """Refuse a data set of responses whose folder is not on this disk.

    Parameters
    ----------
    name : of the data set
    card : from `load_card`
    """
    path = card.get("path")
    if card["loader"] == "responses" and path and not Path(path).expanduser().is_dir():
        hint = " (`access` in the card says where to get it)" if card.get("access") else ""
        expected = f"the folder of the data on this disk{hint}"
        raise InputError("path", f"no folder {path}", expected, file=f"resources/datasets/{name}.yaml")


def bids_files(source: dict, subjects: list[str], images: bool) -> list[str]:
    """Files below a BIDS folder whose change makes results out of date.

    Parameters
    ----------
    source : from `bids_source`
    subjects : labels
    images : those of the stimuli and their table with the events, instead of the BOLD with all that its
        betas are made of
    """
    folder, options = Path(source["folder"]), source["options"]
    runs, _ = bids_names.runs_of_all(folder, options | {"subjects": subjects})
    found = {run.events for own in runs.values() for run in own}
    if images:
        found |= set(bids_names.visible((folder / options["stimuli"]).rglob("*")))
        found |= {folder / options["table"]} if options["table"] else set()
    else:
        for subject, own in runs.items():
            for run in own:
                found |= {run.bold, *run.sidecars, *run.raw_sidecars}
                if options["confounds"] and run.confounds:
                    found |= {run.confounds, run.confounds.with_suffix(".json")}
            for place in source["rois"].values():
                for path in bids_names.roi_files(folder, place, subject):
                    tables = bids_names.label_tables(path, place, folder, subject) if "atlas" in place else ()
                    found |= {path, *tables}
    # what is missing is reported by the job that reads it
    return sorted(str(path) for path in found if path.is_file())


def place_corpus(card: dict, name: str, folder: str | None) -> dict:
    """The card of a corpus, with the folder that the configuration gives it.

    Parameters
    ----------
    card : from `load_card`
    name : of the corpus
    folder : with its images, or None; takes the place of a download

    Raises
    ------
    InputError : a folder for a corpus that is made here, no such folder, or none where one is needed.
    """
    field = f"corpora.{name}"
    if folder and card["kind"] == "procedural":
        raise InputError(field, repr(folder), "no folder: these images are made here")
    folder = folder or card["options"].get("folder")
    if folder is None:
        if card["kind"] == "imagefolder":
            raise InputError(field, "nothing", "the folder of the images")
        return card
    if not Path(folder).expanduser().is_dir():
        raise InputError(field, repr(folder), "an existing folder")
    options = card["options"] | {"folder": str(Path(folder).expanduser())}
    return card | {"kind": "imagefolder", "options": options, "files": []}


# ---- configuration ---------------------------------------------------------------------------------------


def _refuse_former_claims(config: dict, file: str | Path) -> None:
    """One line on how to write what former versions had under `claims`."""
    former = config.get("claims")
    if not isinstance(former, dict):
        return
    roles = {"networks": former.get("models") or {}, "rois": former.get("rois") or {}}
    written = ", ".join(f"{kind}: {_flow(players)}" for kind, players in roles.items() if players)
    expected = "a list of files of resources/claims, and who plays which part beside it; write: "
    expected += f"claims: [original_study], and roles: {{{written}}}"
    if "equivalence" in former:
        expected += f"; equivalence: {former['equivalence']} stands in the file of claims, at `equivalent`"
    raise InputError("claims", f"a mapping with {', '.join(map(str, former))}", expected, file=file)


def _flow(value: object) -> str:
    """A value as YAML has it in one line."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_flow(item)}" for key, item in value.items()) + "}"
    return f"[{', '.join(map(str, value))}]" if isinstance(value, list) else str(value or "null")


def claims_of(config: dict, root: str | Path, file: str | Path = "config.yaml") -> tuple[dict, list[str]]:
    """Claims of a configuration by the name of their file, and what to tell before anything runs.

    Parameters
    ----------
    config : with its defaults
    root : project folder
    file : name of the configuration file, for an error

    Returns
    -------
    files, told : see `claim_files.load_claims` and `claim_files.check_claims`
    """
    names = claim_files.claim_names(root)
    for index, name in enumerate(config["claims"]):
        if name not in names:
            expected = f"a file of {claim_files.FOLDER}: {suggestion(name, names)}"
            raise InputError(f"claims[{index}]", repr(name), expected, file=file)
    files = {name: claim_files.load_claims(name, root) for name in config["claims"]}
    here = {roi for name in config["datasets"] for roi in load_card("datasets", name, root)["rois"]}
    known = claim_files.Known(
        list(dict.fromkeys([*card_names("models", root), *config["models"]])),
        sorted(here | _rois_of_all(root)),
        config["models"],
        sorted(here),
    )
    return files, claim_files.check_claims(files, config["roles"], known, file)


def _rois_of_all(root: str | Path) -> set[str]:
    """ROIs of all cards of data sets; a card with a fault matters only to its own studies."""
    found = set()
    for name in card_names("datasets", root):
        with contextlib.suppress(InputError):
            found |= set(load_card("datasets", name, root)["rois"])
    return found


def network_of_band(band: str) -> str:
    """The network of a band of `encoding.bands`: NETWORK, or NETWORK/LAYER."""
    return band.partition("/")[0]


def _check_encoding(config: dict, file: str | Path) -> None:
    """The grid of regularisations has an order, and bands are of networks in the study."""
    encoding = config["encoding"]
    lowest, highest = encoding["alphas"]["lowest"], encoding["alphas"]["highest"]
    if lowest > highest:
        raise InputError("encoding.alphas.lowest", f"{lowest:g}", f"at most highest, {highest:g}", file=file)
    if len(encoding["bands"]) == 1:
        raise InputError("encoding.bands", encoding["bands"][0], "at least two, or none", file=file)
    for index, band in enumerate(encoding["bands"]):
        network = network_of_band(band)
        if network not in config["models"]:
            expected = f"a network of `models`: {suggestion(network, config['models'])}"
            raise InputError(f"encoding.bands[{index}]", repr(network), expected, file=file)


def load_config_checked(config: dict, root: str | Path, file: str | Path = "config.yaml") -> dict:
    """The configuration with its defaults, checked against its schema and the cards.

    Parameters
    ----------
    config : what Snakemake read from the configuration file(s) and the command line
    root : project folder
    file : name of the configuration file, for an error

    Raises
    ------
    InputError : a fault in the configuration or in the card of one of its data sets; a name without a card;
        a name that cannot be one; z-scores or soft matching of projected features; measures that
        are means of scores beside scores against mean RDMs; bands of networks that are
        not in the study; a fault in a file of claims, or a name in
        it that there is not.
    """
    _refuse_former_claims(config, file)
    config = validate("config", config, file)
    for kind in ("datasets", "models"):
        names = card_names(kind, root)
        for index, name in enumerate(config[kind]):
            field = f"{kind}[{index}]"
            # a control is named after its network
            name = file_of(name) if kind == "models" else name
            if name not in names:
                raise InputError(
                    field, repr(name), f"a card of resources/{kind}: {suggestion(name, names)}", file=file
                )
            check_card_name(kind, name, file, field)
            if kind == "models" and name in config["datasets"]:
                raise InputError(field, f"{name!r}, also a data set", "names that differ", file=file)
    config["models"] = with_controls(config["models"], root)
    for name in config["corpora"]:
        if name not in card_names("corpora", root):
            expected = suggestion(name, card_names("corpora", root))
            raise InputError(
                f"corpora.{name}", repr(name), f"a card of resources/corpora: {expected}", file=file
            )
    if config["projection"] and config["measures"]["units"] == "z":
        found = f"z, with a projection to {config['projection']} features"
        expected = "raw or centred, or projection: null: a projected feature has another standard deviation"
        raise InputError("measures.units", found, expected, file=file)
    if config["projection"] and "soft_matching" in config["measures"]["others"]:
        found = f"soft_matching, with a projection to {config['projection']} features"
        expected = "others, or projection: null: a projected feature is a mixture of all units of a layer"
        raise InputError("measures.others", found, expected, file=file)
    if config["inference"]["group"] == "mean-rdm" and config["measures"]["others"]:
        found = f"{', '.join(config['measures']['others'])}, beside inference.group: mean-rdm"
        expected = "none ([]): other measures are means of people's scores"
        raise InputError("measures.others", found, expected, file=file)
    _check_encoding(config, file)
    claims_of(config, root, file)
    return canonical(config)


def merged_config(root: str | Path, files: list[str], options: dict | None = None) -> dict:
    """The checked configuration of config.yaml, its overlays and options, as Snakemake merges them.

    Parameters
    ----------
    root : project folder
    files : overlays in their order, as after `--configfile`
    options : those of the command line, as after `--config`

    Returns
    -------
    config : with the name of the study: of the options, else as the last overlay has it, else that overlay's
        file name, else that of config.yaml
    """

    def merge(base: dict, over: dict) -> None:
        for key, value in over.items():
            if isinstance(value, dict) and isinstance(base.get(key), dict):
                merge(base[key], value)
            else:
                base[key] = value

    options = options or {}
    config, overlay = read_mapping(Path(root, "config.yaml"), "config.yaml"), {}
    for file in files:
        overlay = read_mapping(file)
        merge(config, overlay)
    merge(config, options)
    if files:
        config["study"] = options.get("study") or overlay.get("study") or Path(files[-1]).stem
    source = files[-1] if files else "config.yaml"
    return load_config_checked(config, root, f"{source} or --config" if options else source)
