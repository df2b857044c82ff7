"""Cards of networks that are trained with the brain: what a schema cannot say of them, and their controls.

One card stands for the guided network and for its controls, which differ from it by what takes the brain's
place. All else is equal: weights at the start, images of either kind and their order.
"""

from __future__ import annotations

from cortexrsa.errors import InputError, concerning, suggestion
from cortexrsa.geometry.registry import DISSIMILARITIES
from cortexrsa.guidance.batches import check_batches
from cortexrsa.seeds import CONTROL

# what the controls are, and what has to be said of one: nothing, or the keys of a mapping
CONTROLS = {
    "unguided": "weight 0 and the same stimuli",
    "shuffled": "responses to other stimuli of the training split",
    "spectrum": "random responses whose covariance over stimuli is the brain's",
    "low_level": "Gabor energies of the stimuli",
    "other_roi": "another ROI",
    "labels": "categories of the stimuli",
    "network": "another network",
}
LABELS = {
    "unguided": "unguided",
    "shuffled": "shuffled",
    "spectrum": "matched spectrum",
    "low_level": "low-level target",
    "other_roi": "of {roi}",
    "labels": "labels",
    "network": "of {card}",
}
OPTIONS = {"other_roi": ("roi",), "network": ("card", "layer"), "labels": ("column",)}
VOXEL_LOSSES = ("cka", "readout")
FAMILY, FAMILY_OF_CONTROLS = "brain-guided", "guidance-control"


def guidance_of(card: dict) -> dict | None:
    """`weights.training.brain` of a card, where it has it."""
    return card.get("weights", {}).get("training", {}).get("brain")


def people_seen(brain: dict, dataset: str, datasets: dict[str, dict]) -> list[str] | None:
    """People of a data set that a network was trained with; None: all, or it is not known whom of them.

    Parameters
    ----------
    brain : of its card
    dataset : in which it is scored
    datasets : cards of this data set and of that of its training, by name

    Examples
    --------
    >>> brain = {"dataset": "nsd", "subjects": ["subj01"]}
    >>> cards = {"nsd": {"people_of": "nsd"}, "shared": {"people_of": "nsd"}, "other": {}}
    >>> [people_seen(brain, name, cards) for name in cards]
    [['subj01'], None, []]
    """
    if brain["dataset"] == dataset:
        return brain.get("subjects")
    experiments = [datasets[name].get("people_of") for name in (dataset, brain["dataset"])]
    return None if experiments[0] and experiments[0] == experiments[1] else []


def needed(card: dict) -> list[str]:
    """Cards of the other networks without which a network cannot be made."""
    training = card.get("weights", {}).get("training", {})
    other = training.get("brain", {}).get("options", {}).get("card")
    return [name for name in (card.get("variant_of"), training.get("start"), other) if name]


def others_named(card: dict) -> list[tuple[str, str, str | None]]:
    """Field, card and layer of each other network that a card of guided training names."""
    start = card.get("weights", {}).get("training", {}).get("start")
    found = [("weights.training.start", start, None)] if start else []
    for index, control in enumerate(card.get("controls", [])):
        kind, options = named_control(control)
        if kind == "network":
            found.append((f"controls[{index}]", options["card"], options["layer"]))
    return found


def named_control(control: object) -> tuple[str, dict]:
    """Name and options of an item of `controls`: NAME, or {NAME: options}; {other_roi: V1} is short."""
    if isinstance(control, str):
        return control, {"column": "category"} if control == "labels" else {}
    ((name, options),) = control.items()
    short = {"other_roi": "roi", "labels": "column"}.get(name)
    if short and isinstance(options, str):
        return name, {short: options}
    return name, {} if options is None else options


def with_controls(name: str, card: dict) -> dict[str, dict]:
    """Cards by name of a network and of its controls: NAME, NAME~unguided ...; alone, if it has none.

    Parameters
    ----------
    name : of the card
    card : from the file, valid; each `weights.training.brain` gets a `target`: brain, or the control
    """
    brain = guidance_of(card)
    if brain is None:
        return {name: card}
    found = {name: _aimed(card, {"target": "brain"})}
    plain = card | {"controls": []}
    for control in card.get("controls", []):
        kind, options = named_control(control)
        change = {"target": kind, **({"options": options} if options else {})}
        if kind == "unguided":
            change = {"target": "brain", "weight": 0}
        label = f"{card['label']} ({LABELS[kind].format(**options)})"
        own = plain | {"label": label, "family": FAMILY_OF_CONTROLS}
        if "variant_of" in card:
            own["variant_of"] = f"{card['variant_of']}{CONTROL}{kind}"
        found[f"{name}{CONTROL}{kind}"] = _aimed(own, change)
    return found


def _aimed(card: dict, change: dict) -> dict:
    """The card with something else in `weights.training.brain`."""
    training = card["weights"]["training"]
    training = training | {"brain": training["brain"] | change}
    return card | {"weights": card["weights"] | {"training": training}}


def check_guided(card: dict, file: str, dataset: dict | None, names: dict[str, list[str]]) -> None:
    """Refuse what a schema cannot say of a card with `brain` or `controls`.

    Parameters
    ----------
    card : valid, with its defaults
    file : its name
    dataset : the card of its data set; None where there is none of that name
    names : names of all cards by kind (datasets, models)

    Raises
    ------
    InputError : controls without a brain; a data set, ROI, layer, control or card that there is not; a loss
        of voxels for RDMs alone, or no training split, as data sets of RDMs have none; batches that cannot be
        made.
    """
    brain = guidance_of(card)
    if brain is None:
        for key in ("controls", "start"):
            if card.get(key) or card.get("weights", {}).get("training", {}).get(key):
                field = "controls" if key == "controls" else "weights.training.start"
                raise InputError(field, "no weights.training.brain", f"{key} beside it", file=file)
        return
    field = "weights.training.brain"
    if dataset is None:
        expected = suggestion(brain["dataset"], names["datasets"])
        raise InputError(f"{field}.dataset", repr(brain["dataset"]), expected, file=file)
    _check_layers(card, brain, list(dataset["rois"]), file)
    _check_loss(card, brain, dataset, file)
    people = dataset["options"].get("subjects")
    for index, subject in enumerate(brain["subjects"] or []):
        # of other data sets the job knows who is there
        if isinstance(people, list) and subject not in people:
            expected = suggestion(subject, people)
            raise InputError(f"{field}.subjects[{index}]", repr(subject), expected, file=file)
    _check_batches(card, file)
    start = card["weights"]["training"].get("start")
    if start is not None and start not in names["models"]:
        raise InputError("weights.training.start", repr(start), suggestion(start, names["models"]), file=file)
    _check_controls(card, file, list(dataset["rois"]), names["models"])


def _check_layers(card: dict, brain: dict, rois: list[str], file: str) -> None:
    """ROIs are those of the data set, and layers those of the card, also where a layer is chosen."""
    field = "weights.training.brain"
    for roi, layer in brain["layers"].items():
        if roi not in rois:
            raise InputError(f"{field}.layers", f"the ROI {roi!r}", suggestion(roi, rois), file=file)
        if layer not in card["layers"]:
            expected = f"one of the card's layers: {suggestion(layer, card['layers'])}"
            raise InputError(f"{field}.layers.{roi}", repr(layer), expected, file=file)
    for roi, layers in ((brain.get("choose") or {}).get("layers") or {}).items():
        if roi not in brain["layers"]:
            expected = suggestion(roi, list(brain["layers"]))
            raise InputError(f"{field}.choose.layers", f"the ROI {roi!r}", expected, file=file)
        for layer in layers:
            if layer not in card["layers"]:
                expected = f"one of the card's layers: {suggestion(layer, card['layers'])}"
                raise InputError(f"{field}.choose.layers.{roi}", repr(layer), expected, file=file)


def _check_loss(card: dict, brain: dict, dataset: dict, file: str) -> None:
    """The data set has what the loss compares, on stimuli that nothing is tested on."""
    field = "weights.training.brain"
    if dataset["loader"] == "rdms":
        if brain["loss"] in VOXEL_LOSSES:
            found = f"{brain['loss']}, and {brain['dataset']} has RDMs alone"
            raise InputError(f"{field}.loss", found, "rdm_pearson or rdm_spearman", file=file)
        found = f"{brain['dataset']}, all of whose stimuli are test stimuli"
        raise InputError(f"{field}.dataset", found, "a data set with a training split", file=file)
    if brain["split"] == "test":
        expected = "a split that nothing is tested on, such as train"
        raise InputError(f"{field}.split", "'test'", expected, file=file)
    crossed = DISSIMILARITIES[brain["dissimilarity"]].across_runs
    if crossed and brain["loss"] in VOXEL_LOSSES:
        found = f"{brain['dissimilarity']}, and {brain['loss']} has no RDM"
        raise InputError(f"{field}.dissimilarity", found, "correlation, or an RDM loss", file=file)
    if brain["weight"] == 0 and card["controls"]:
        expected = "more than 0: the control unguided has weight 0"
        raise InputError(f"{field}.weight", "0, beside controls", expected, file=file)


def _check_batches(card: dict, file: str) -> None:
    """Batches of images and stimuli can be made, also in the short trainings that choose."""
    training, brain = card["weights"]["training"], guidance_of(card)
    choose = brain["choose"] or {}
    choices = [choose.get("weights", []), *choose.get("layers", {}).values()]
    # one candidate needs no short training
    tried = brain["weight"] and any(len(options) > 1 for options in choices)
    share = choose["share"] if tried else 1.0
    batches = (training["batch_size"], training.get("norm_batch"), brain["batch_size"])
    with concerning(file):
        check_batches(*batches, training["images_seen"], share)


def _check_controls(card: dict, file: str, rois: list[str], models: list[str]) -> None:
    seen = set()
    brain = guidance_of(card)
    for index, control in enumerate(card.get("controls", [])):
        field = f"controls[{index}]"
        kind, options = named_control(control)
        if kind not in CONTROLS:
            raise InputError(field, repr(kind), suggestion(kind, list(CONTROLS)), file=file)
        if kind in seen:
            raise InputError(field, f"{kind} twice", "each control once", file=file)
        seen.add(kind)
        wanted = OPTIONS.get(kind, ())
        texts = isinstance(options, dict) and all(
            value and isinstance(value, str) for value in options.values()
        )
        if not texts or set(options) != set(wanted):
            shape = f"{{{kind}: {{{', '.join(f'{key}: ...' for key in wanted)}}}}}, each a text"
            found = "nothing" if options == {} else repr(options)
            raise InputError(field, f"{kind} with {found}", shape if wanted else kind, file=file)
        if kind == "other_roi" and (options["roi"] not in rois or options["roi"] in brain["layers"]):
            others = [roi for roi in rois if roi not in brain["layers"]]
            if not others:
                found = f"{kind}, and the network is trained with all ROIs of {brain['dataset']}"
                raise InputError(field, found, "other controls", file=file)
            raise InputError(field, repr(options["roi"]), suggestion(options["roi"], others), file=file)
        if kind == "network" and options["card"] not in models:
            raise InputError(field, repr(options["card"]), suggestion(options["card"], models), file=file)
