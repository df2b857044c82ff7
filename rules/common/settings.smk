# What a job's result depends on, as its params: parts of cards and of the configuration, and files from outside.

import hashlib

# which responses are made: those of all studies of this run, and those that networks are trained with
RESPONDING = [(content, dataset) for content in CONFIGS.values() for dataset in content["datasets"]]
RESPONDING += [(responses_of_guidance(brain_of(model)), brain_of(model)["dataset"]) for model in GUIDED]
# settings by the name of the folder that they made
GLMS = {studies.glm_key(content): studies.glm_settings(content) for content, _ in RESPONDING}
SELECTIONS = {
    studies.responses_key(content, DATASETS[dataset]): {
        "glm": studies.glm_key(content),
        "betas": content["glm"]["betas"],
    }
    | studies.responses_settings(content)
    for content, dataset in RESPONDING
}
FEATURES = {
    studies.features_key(content): studies.projection_settings(content) for content in CONFIGS.values()
}


def state_of(paths) -> str:
    """Digest of the names, sizes and times of files: it changes in either direction, also with a restored backup."""
    digest = hashlib.sha256()
    for path in map(str, sorted(paths)):
        status = os.stat(path)
        digest.update(f"{path}\0{status.st_size}\0{status.st_mtime_ns}\n".encode())
    return digest.hexdigest()[:16]


def files_below(folder: str) -> list[str]:
    """All files below a folder."""
    return [os.path.join(place, name) for place, _, names in os.walk(folder) for name in names]


def state_of_local_urls(files: dict) -> str:
    """`state_of` what a card takes from this machine by file:// urls."""
    urls = [entry["url"] for entry in files.values() if entry.get("url", "").startswith("file://")]
    paths = [urllib.request.url2pathname(urllib.parse.urlsplit(url).path) for url in urls]
    # what is missing is told by the job that reads it
    return state_of(path for path in paths if os.path.isfile(path))


def part_of_model(*keys: str):
    """Function of the wildcards: the given parts of the model's card."""
    return lambda wildcards: {key: MODELS[wildcards.model].get(key) for key in keys}


def part_of_dataset(*keys: str):
    """Function of the wildcards: the given parts of the data set's card."""
    return lambda wildcards: {key: DATASETS[wildcards.dataset].get(key) for key in keys}


# of the options of a data set of responses: those of its stimuli alone, and those of responses alone
OF_STIMULI = ("stimuli", "splits", "unshown")
OF_RESPONSES = ("hemispheres", "voxels", "zscore", "average", "selection")


def settings_of_responses_stimuli(wildcards) -> dict:
    """Of the card of a data set of responses, what its stimuli depend on."""
    card = DATASETS[wildcards.dataset]
    own = {key: value for key, value in card["options"].items() if key not in OF_RESPONSES}
    return {"path": card.get("path"), "options": own}


def settings_of_responses(wildcards) -> dict:
    """Of the card of a data set of responses, what its responses depend on, given the stimuli."""
    card = DATASETS[wildcards.dataset]
    own = {key: value for key, value in card["options"].items() if key not in OF_STIMULI}
    return {"path": card.get("path"), "rois": card["rois"], "options": own}


def outside_of(names):
    """Function of the wildcards: `state_of` the files outside for which names of a card of responses stand.

    They are followed by size and time alone: as inputs of a job, all of some hundred gigabytes would be read once more
    for their checksums.
    """

    def state(wildcards) -> str:
        card = DATASETS[wildcards.dataset]
        return state_of(responses_files.outside_files(card, names(card)))

    return state


def part_of_study(*keys: str):
    """Function of the wildcards: the given settings of `inference`."""
    return lambda wildcards: {key: CONFIGS[wildcards.study]["inference"][key] for key in keys}


def design_settings(wildcards) -> dict:
    """How the data set's card says that people and stimuli were drawn."""
    card = DATASETS[wildcards.dataset]
    return {key: card[key] for key in ("subject_effect", "unit", "categories") if key in card}


def inference_settings(*keys: str):
    """Function of the wildcards: comparison, the given keys of `inference`, and how people and stimuli were drawn."""
    return lambda wildcards: {
        "comparison": CONFIGS[wildcards.study]["measures"]["comparison"],
        "inference": {
            **part_of_study(*keys)(wildcards),
            **design_settings(wildcards),
        },
    }


def threads_of_study(wildcards) -> int:
    """Threads of a study's jobs of inference."""
    return CONFIGS[wildcards.study]["inference"]["threads"]


def seen_by(model: str, dataset: str) -> dict:
    """How the images of a data set become the input of a network."""
    return cards.seen_by(model, MODELS[model], dataset, DATASETS[dataset])


def activations_settings(model: str, dataset: str) -> dict:
    """What of the cards makes the activations of a network to the stimuli of a data set."""
    parts = {key: MODELS[model].get(key) for key in ("network", "weights", "layers")}
    return parts | {"preprocessing": seen_by(model, dataset)}


def inputs_settings(wildcards) -> dict:
    """What networks see of the images of a data set, and how large these were in the visual field."""
    dataset = wildcards.dataset
    return {
        "models": {model: seen_by(model, dataset) for model in cards_of(wildcards.study)},
        "degrees": DATASETS[dataset].get("degrees"),
    }


def extraction_settings(wildcards) -> dict:
    """The model's card as far as it changes activations, and the projection where there is one."""
    settings = activations_settings(wildcards.model, wildcards.dataset)
    # a job of a study has the features of that study
    features = getattr(wildcards, "features", None) or studies.features_key(CONFIGS[wildcards.study])
    if FEATURES[features]:
        settings["projection"] = FEATURES[features]
    return settings


def recipe_of_activations(wildcards) -> dict:
    """What made the activations that a job reads.

    A failed extraction leaves neither activations nor a record of its settings: without this among the params of the
    jobs that read them, their results of the settings before would pass for current.
    """
    return {"settings": extraction_settings(wildcards), "code": code("extract.py")}


def encoding_settings(wildcards) -> dict:
    """The section `encoding`, and what encoding models need of `inference`."""
    inference = part_of_study("permutations", "seed")(wildcards)
    encoding = {key: value for key, value in CONFIGS[wildcards.study]["encoding"].items() if key != "bands"}
    return {
        "encoding": encoding,
        "inference": inference | design_settings(wildcards),
    }


def band_settings(wildcards) -> dict:
    """The same for banded ridge, with its bands and their networks, and the confidence of its intervals."""
    settings = encoding_settings(wildcards)
    settings["inference"] |= part_of_study("confidence")(wildcards)
    bands = CONFIGS[wildcards.study]["encoding"]["bands"]
    return settings | {"bands": bands, "networks": networks_of_bands(wildcards.study)}


def recipe_of_bands(wildcards) -> dict:
    """`recipe_of_activations` of all networks in the bands."""
    networks = networks_of_bands(wildcards.study)
    return {
        "settings": {name: activations_settings(name, wildcards.dataset) for name in networks},
        "projection": FEATURES[studies.features_key(CONFIGS[wildcards.study])],
        "code": code("extract.py"),
    }


def trained_on_stimuli(wildcards) -> dict[str, list[str]]:
    """The networks that were trained on images of the sources that a data set's stimuli are from, with these."""
    sources = DATASETS[wildcards.dataset].get("images_from", [])
    found = {
        model: [source for source in sources if source in cards.trained_on(MODELS[model])]
        for model in models_of(wildcards.study)
    }
    return {model: shared for model, shared in found.items() if shared}


def guidance_settings(wildcards) -> dict:
    """Of the cards, what a network that is trained with the brain depends on."""
    model = wildcards.model
    card, dataset = GUIDED[model], brain_of(model)["dataset"]
    others = {"control": None, "start": None} | others_of(card)
    parts = {part: name and part_of_card(name) for part, name in others.items()}
    layers = sorted(
        brain_of(model)["layers"].items(), key=lambda pair: (card["layers"].index(pair[1]), pair[0])
    )
    return {
        **part_of_card(model),
        "folder": CORPORA[corpus_of(model)]["options"].get("folder"),
        "layers": layers,
        "order": card["layers"],
        "seen": seen_by(model, dataset),
        **parts,
        "control_seen": others["control"] and seen_by(others["control"], dataset),
    }


def part_of_card(model: str) -> dict:
    """What of a card makes a network and its weights."""
    return {key: MODELS[model].get(key) for key in ("network", "weights", "preprocessing")}


def learning_settings(wildcards) -> dict:
    """Objective and bars of the networks that a study trains."""
    return {
        model: {
            "objective": TRAINED[model]["weights"]["training"]["objective"],
            "bars": CORPORA[corpus_of(model)]["learned"],
        }
        for model in trained_in(wildcards.study)
    }


def labels_of(models) -> dict:
    """Label, family and number of seeds of networks, by card, and whose weights they have: what figures show of them."""
    keys = ("label", "family", "seeds", "variant_of")
    return {model: {key: MODELS[model][key] for key in keys if key in MODELS[model]} for model in models}


def variants_in(study: str) -> dict:
    """The network whose weights each variant of a study has."""
    return variants_of({model: MODELS[model] for model in cards_of(study)})


def paired_in(study: str) -> dict:
    """The network whose random seeds each other one shares: variants, and the controls of guided training."""
    controls = {control: name for name, own in guided_in(study).items() for control in own.values()}
    return variants_in(study) | controls


def guidance_in(study: str, dataset: str) -> dict:
    """Of the guided networks of a study: controls by kind, and the ROIs and people that they were trained with.

    See `guided_cards.people_seen`.
    """
    found = {}
    for name, controls in guided_in(study).items():
        brain = brain_of(name)
        found[name] = {
            "controls": controls,
            "rois": list(brain["layers"]),
            "subjects": cards.guided_cards.people_seen(brain, dataset, DATASETS),
            "chosen_apart": chosen_apart(brain, dataset),
        }
    return found


def settings_of_gains(wildcards) -> dict:
    """What the table of gains needs of the cards and of the study."""
    content, guided = CONFIGS[wildcards.study], guidance_in(wildcards.study, wildcards.dataset)
    for name, own in guided.items():
        own |= {"objective": GUIDED[name]["weights"]["training"]["objective"]}
        own |= {key: brain_of(name)[key] for key in ("loss", "weight")}
    return {
        "guided": guided,
        "encoding": next(iter(content["encoding"]["methods"]), None),
        "measures": [
            each for each in measured_in(wildcards.study) if each != content["measures"]["comparison"]
        ],
        **inference_settings("confidence", "seed", "halves", "group", "standard_error", "bootstrap")(
            wildcards
        ),
    }


def robustness_settings(wildcards) -> dict:
    """Of the card of a guided network, what its accuracies depend on beside its weights."""
    return {
        **part_of_model("network", "preprocessing")(wildcards),
        "objective": GUIDED[wildcards.model]["weights"]["training"]["objective"],
        "folder": CORPORA[corpus_of(wildcards.model)]["options"].get("folder"),
    }


def labels_of_models(wildcards) -> dict:
    """The same of every network of a study."""
    return labels_of(cards_of(wildcards.study))


def labels_of_trained(wildcards) -> dict:
    """The same, with those that are trained for the sake of their variants."""
    holders = {card_of(model) for model in trained_in(wildcards.study)}
    return labels_of(sorted({*cards_of(wildcards.study), *holders}))


def generalises(wildcards) -> str:
    """What intervals and scores of a study are about."""
    return cards.generalises(DATASETS[wildcards.dataset], CONFIGS[wildcards.study]["inference"]["group"])


@functools.cache
def registered(study: str) -> dict:
    """What to say of the registration of a study's claims, by file and claim."""
    content = CONFIGS[study]
    own = {
        "datasets": {name: DATASETS[name] for name in content["datasets"]},
        "models": {name: MODELS[name] for name in content["models"]},
    }
    return registration.states(content, CLAIMS[study], own, ROOT)


def settings_of_claims(wildcards) -> dict:
    """The claims of a study, who plays which part in them, and what is said of their registration."""
    guided = {
        name: own | {"controls": list(own["controls"].values())}
        for name, own in guidance_in(wildcards.study, wildcards.dataset).items()
    }
    return {
        **({"guided": guided} if guided else {}),
        "claims": CLAIMS[wildcards.study],
        "roles": CONFIGS[wildcards.study]["roles"],
        "families": {model: MODELS[model]["family"] for model in cards_of(wildcards.study)},
        "lineages": {
            model: MODELS[model].get("lineage") or MODELS[model]["network"]["name"]
            for model in cards_of(wildcards.study)
        },
        "variants": variants_in(wildcards.study),
        # of several methods of encoding the first
        "encoding": next(iter(CONFIGS[wildcards.study]["encoding"]["methods"]), None),
        # those that a claim is about, and that every claim is evaluated by
        "measures": [
            name
            for name in CONFIGS[wildcards.study]["measures"]["others"]
            if name == "partial_rsa"
            or (not MEASURES[name].responses and json.dumps(name) in json.dumps(CLAIMS[wildcards.study]))
        ],
        "registered": registered(wildcards.study),
        "registration": registration.summary(registered(wildcards.study)),
        "generalises": generalises(wildcards),
        "inference": part_of_study("confidence", "seed")(wildcards),
    }


def power_settings(wildcards) -> dict:
    """Design and claims of a study, as `power` simulates them."""
    content, card = CONFIGS[wildcards.study], DATASETS[wildcards.dataset]
    wanted, simulated = content["power"], card["loader"] == "simulated"
    known = {roi: entry["reliability"] for roi, entry in card["rois"].items()} if simulated else {}
    known |= wanted["reliability"]
    lacking = [roi for roi in card["rois"] if roi not in known]
    if lacking:
        raise WorkflowError(
            f"power needs the reliability of the mean responses in {', '.join(lacking)}, as of a pilot "
            f"(reliability.csv): write power: {{reliability: {{{lacking[0]}: 0.4}}}}"
        )
    try:
        people = studies.people_of_power(content, card)
    except InputError as error:
        raise WorkflowError(str(error)) from error
    roles = content["roles"]["rois"]
    # from early to late; in between in the order of the card
    order = sorted(card["rois"], key=lambda roi: (roi != roles.get("early"), roi == roles.get("late")))
    settings = settings_of_claims(wildcards)
    return {key: settings[key] for key in ("claims", "roles", "families", "lineages", "inference")} | {
        "reliability": {roi: known[roi] for roi in order},
        "subjects": people,
        "studies": wanted["studies"],
    }


def settings_of_score_figures(wildcards) -> dict:
    """What figures and captions of scores and claims show of a study."""
    confidence = CONFIGS[wildcards.study]["inference"]["confidence"]
    shown = {"models": labels_of_models(wildcards), "confidence": confidence}
    return shown | {"generalises": generalises(wildcards)}


def controls_of_models(wildcards) -> dict:
    """The untrained control of every network of a study, or None."""
    models = {model: MODELS[model] for model in cards_of(wildcards.study)}
    return cards.untrained_controls(models, wildcards.dataset, DATASETS[wildcards.dataset])


# simulated studies of a cell by the number of stimuli: what more of them would take
SIMULATIONS = {40: 40, 120: 20, 1000: 20}


def settings_of_calibration(wildcards) -> dict:
    """Many stimuli would take a minute a study to resample: one pass alone."""
    stimuli = int(wildcards.stimuli)
    return {
        "simulations": SIMULATIONS.get(stimuli, 20),
        "methods": ["one-pass", "resampled"] if stimuli < 1000 else ["one-pass"],
        **{"draws": 200, "permutations": 999, "seed": 0},
    }
