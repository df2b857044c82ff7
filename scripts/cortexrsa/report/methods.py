"""Methods of a study, ready for a paper, with its references as BibTeX."""

from __future__ import annotations

import re
from pathlib import Path

from cortexrsa.cards import generalises, seen_by
from cortexrsa.formats.padding import BACKGROUND
from cortexrsa.geometry.registry import COMPARISONS, DISSIMILARITIES, MEASURES, UNITS
from cortexrsa.inference.settings import MEAN_RDM
from cortexrsa.report.answer import listed
from cortexrsa.studies import RAW_BOLD

ERRORS = {
    "one-pass": "Standard errors follow from the influence of every stimulus and of every pair of stimuli "
    "on the score (the infinitesimal jackknife, as a U-statistic), without resampling",
    "resampled": "Standard errors come from a bootstrap over stimuli, corrected for repeated stimuli",
    "bootstrap": "Standard errors come from a plain bootstrap over stimuli",
}
BETAS = {
    "trial-lss": "one for each presentation, from a model of its own (least squares separate)",
    "trial-lsa": "one for each presentation, all of a run in one model (least squares all)",
    "stimulus": "one for each stimulus and run, averaged over runs",
}
# by the kind of ceiling: what a perfect model attains, and from what it follows
CEILINGS = {
    "split-half": "follows from the similarity of random halves of the repeats ({splits} times), stepped up "
    "by Spearman-Brown to the reliability of all repeats, whose square root it is",
    "subjects": "is the similarity to the geometry that the subjects share, from the similarity of each "
    "subject's matrix to the mean matrix of the others (lower bound) and of all (upper bound)",
    "mean-rdm": "is the square root of the reliability of the mean matrix over the subjects",
    "moments": "follows from simulated matrices with the moments of signal and noise that averages "
    "over different numbers of repeats give",
    "voxel-halves": "follows from the similarity of random halves of the voxels, stepped up likewise",
}
OBJECTIVES = {
    "supervised": "classification",
    "simclr": "contrastive learning (SimCLR)",
    "barlow_twins": "redundancy reduction (Barlow Twins)",
    "autoencoder": "reconstruction (autoencoder)",
    "vae": "reconstruction (variational autoencoder)",
}
FAMILIES = {"confirmatory": "Holm's method", "exploratory": "the false discovery rate (Benjamini-Hochberg)"}
NOISE = {"ar1": "autoregressive noise of first order", "ols": "ordinary least squares"}


def _lower(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:]


def methods(
    config: dict,
    dataset: dict,
    models: dict[str, dict],
    facts: dict,
    versions: dict,
    claims: dict[str, dict] | None = None,
) -> list[str]:
    """Paragraphs that say what was done.

    Parameters
    ----------
    config : of the study, checked
    dataset : card of the data set
    models : cards of the networks by name, one for all seeds
    facts : stimuli by split, subjects, voxels by ROI, kinds of ceilings; see `page.facts`
    versions : by package, as recorded
    claims : content of the files of claims, by name
    """
    measures, inference = config["measures"], config["inference"]
    splits = listed([f"{count} {split}" for split, count in facts["stimuli"].items()])
    several = facts["subjects"] > 1
    data = f"{dataset['description'].rstrip('. ')}. There are {splits} stimuli and {facts['subjects']}"
    data += f" subject{'s' * (facts['subjects'] != 1)}."
    if facts["voxels"]:
        mean = " on average" * several
        voxels = listed([f"{roi} ({count} voxels{mean})" for roi, count in facts["voxels"].items()])
        data += f" The regions of interest are {voxels}."
    if dataset["loader"] in RAW_BOLD:
        data += f" {_responses(config['glm'])}"
    # labels may hold a comma
    labels = "; ".join(card["label"] for card in models.values())
    networks = (
        f"The networks and baselines are: {labels}. {_images(dataset, models)} Features of a layer are "
    )
    networks += f"taken {UNITS[measures['units']]}."
    errors = f"{ERRORS[inference['standard_error']]}; intervals are {100 * inference['confidence']:g} % "
    errors += f"confidence intervals. {generalises(dataset, inference['group'])} "
    errors += f"Scores are tested against zero by {inference['permutations']:,} "
    errors += (
        "relabellings of the stimuli (by the moments of all relabellings beyond 2,000 stimuli), corrected "
    )
    errors += "for all layers of all networks within a region of interest."
    if several:
        group = "the mean of their scores"
        if inference["group"] == MEAN_RDM:
            group = "the score against the mean of their dissimilarity matrices"
        errors += f" The score of several subjects is {group}."
    told = [data, networks, _geometry(measures, dataset), errors]
    told += [_layers_and_ceilings(config, facts)]
    told += [_claims(config, dataset, claims)] if claims else []
    told += [trained] if (trained := _training(models)) else []
    told += [others] if (others := _other_measures(config, dataset)) else []
    software = ", ".join(f"{name} {versions[name]}" for name in sorted(versions))
    return [*told, f"The analysis was run with {software}."]


def _responses(glm: dict) -> str:
    """How responses were estimated from BOLD time series."""
    drift = {"cosine": f"cosine drifts up to {glm['high_pass']:g} Hz", "none": "no drifts"}
    polynomial = f"polynomial drifts of order {glm['drift_order']}"
    told = "Responses are coefficients of a general linear model of the BOLD time series: "
    told += f"{BETAS[glm['betas']]}; "
    told += (
        f"haemodynamic response: {glm['hrf']}; {drift.get(glm['drift'], polynomial)}; {NOISE[glm['noise']]}."
    )
    if glm["zscore"] != "none":
        told += f" They are z-scored voxel by voxel over each {glm['zscore']}."
    return told


def _geometry(measures: dict, dataset: dict) -> str:
    """What the dissimilarity matrices of regions and of layers hold, and how they are compared."""
    distance = DISSIMILARITIES[measures["dissimilarity"]]
    layers = DISSIMILARITIES[distance.of_layers]
    regions = distance.meaning
    told = "Representational dissimilarity matrices hold the dissimilarity of the response patterns of "
    told += "every pair of stimuli"
    if dataset["loader"] == "rdms":
        published = dataset["options"].get("dissimilarity", "")
        regions = DISSIMILARITIES[published].meaning if published in DISSIMILARITIES else published
        told += f". Those of the regions are taken as published ({_lower(regions)}); those of the layers are "
        told += f"made here ({_lower(layers.meaning)})"
    elif layers is distance:
        told += f" ({_lower(regions)})"
    else:
        told += f": for regions the {_lower(regions)}; for layers, which have neither noise nor repeats, the "
        told += _lower(layers.meaning)
    comparison = measures["comparison"]
    return f"{told}. They are compared by {COMPARISONS[comparison].meaning} ({comparison})."


def _layers_and_ceilings(config: dict, facts: dict) -> str:
    """How the best layer of a network is chosen, and what bounds the scores."""
    inference = config["inference"]
    if "train" in facts["stimuli"]:
        told = "The best layer of a network is chosen on the training stimuli and scored on the test stimuli."
    else:
        told = (
            "The best layer of a network is chosen on a random half of the stimuli and scored on the other, "
        )
        told += f"in both directions; its score is the mean over {inference['halves']} pairs of halves."
    told += " The depth centroid of a network is the mean of the relative depths of its layers, weighted by "
    told += "their scores where these are positive."
    for kind in facts.get("ceilings", []):
        if kind in CEILINGS:
            said = CEILINGS[kind].format(splits=inference["ceiling_splits"])
            told += f" The noise ceiling, the score of a perfect model, {said}."
    return told


def _claims(config: dict, dataset: dict, claims: dict[str, dict]) -> str:
    """How claims are tested: what is corrected, and what contrasts of regions take into account."""
    inference, told = config["inference"], []
    told.append(
        f"A claim is supported where the interval of each of its parts ({100 * inference['confidence']:g} %) "
        "lies where the claim says, contradicted where a part is told to be the opposite, and inconclusive "
        "otherwise."
    )
    if all(content["contradicted_by"] == "corrected test" for content in claims.values()):
        told.append("What contradicts a claim is corrected by Holm's method over its parts.")
    for family, method in FAMILIES.items():
        if files := [name for name, content in claims.items() if content["family"] == family]:
            named = f"the {family} claims of {listed(files)}"
            told.append(f"Verdicts that support {named} are corrected by {method} over the claims of a file.")
    if dataset["loader"] != "rdms":
        if inference["voxel_groups"]:
            told.append(
                "The errors of contrasts of regions include those of the voxels, by a jackknife over "
                f"{inference['voxel_groups']} groups of neighbouring voxels of each region."
            )
        matched = inference["unequal_noise"] == "matched"
        if matched and not DISSIMILARITIES[config["measures"]["dissimilarity"]].across_runs:
            told.append(
                "Before regions are compared, noise is added to the responses of the more reliable ones "
                "until all are as reliable as the least reliable region, where single trials are known."
            )
    return " ".join(told)


def _training(models: dict[str, dict]) -> str:
    """How the networks that the workflow trains were trained, those of one recipe together."""
    recipes: dict[tuple, list[str]] = {}
    for card in models.values():
        training = card.get("weights", {}).get("training")
        if training and "variant_of" not in card:
            key = ("corpus", "images_seen", "batch_size", "optimizer", "learning_rate", "weight_decay")
            objective = OBJECTIVES.get(training["objective"], training["objective"])
            recipes.setdefault(tuple(training.get(name) for name in key), []).append(
                f"{card['label']} by {objective}"
            )
    told = []
    for (corpus, seen, batch, optimizer, rate, decay), networks in recipes.items():
        weight = f" and a weight decay of {decay:g}" if decay else ""
        told.append(
            f"These networks were trained on {seen:,} images of {corpus} (with repeats) in batches of "
            f"{batch}, by {optimizer} with a peak learning rate of {rate:g}{weight}: {'; '.join(networks)}."
        )
    if any("brain" in card.get("weights", {}).get("training", {}) for card in models.values()):
        told.append(
            "In the data set that a network was trained with, its layers are chosen on training stimuli "
            "that it was not fitted to."
        )
    return " ".join(told)


def _other_measures(config: dict, dataset: dict) -> str:
    """What else is measured: partial RSA, encoding models, and others by name."""
    measures, encoding = config["measures"], config["encoding"]
    told = []
    if "partial_rsa" in measures["others"]:
        told.append(
            "Partial RSA takes out of both dissimilarity matrices what those of descriptors of the images "
            "(confounds.csv) explain."
        )
    patterns = dataset["loader"] != "rdms"
    others = [MEASURES[name] for name in measures["others"] if name != "partial_rsa"]
    others = [measure for measure in others if patterns or not (measure.grams or measure.responses)]
    if meanings := [measure.meaning for measure in others]:
        told.append(f"Layers and regions are compared by {listed(meanings)}, too.")
    if encoding["methods"] and patterns:
        regressions = {"ridge": "ridge regression", "pls": "partial least squares"}
        by = listed([regressions[method] for method in encoding["methods"]])
        told.append(
            f"Encoding models predict the responses of each voxel from the features of a layer by {by}"
        )
        if "ridge" in encoding["methods"]:
            told[-1] += f", whose regularisation is chosen by cross-validation ({encoding['folds']} folds)"
        told[-1] += "."
    return " ".join(told)


def _images(dataset: dict, models: dict[str, dict]) -> str:
    """What is done to the images before networks see them."""
    # labels may hold a comma
    sizes: dict[int, list[str]] = {}
    for name, card in models.items():
        sizes.setdefault(seen_by(name, card, "", dataset)["size"], []).append(card["label"])
    told = listed([f"{size} x {size} pixels ({'; '.join(sizes[size])})" for size in sorted(sizes)])
    angle = f", which cover {dataset['degrees']:g} degrees of visual angle," if "degrees" in dataset else ""
    grey = dataset.get("background", BACKGROUND)
    return (
        f"They see whole images{angle} resized to {told}. An image that is not square lies in the middle of "
        f"a square of grey {grey} (of 255)."
    )


def entry(key: str, citation: str) -> str:
    """A citation in words as a BibTeX entry, with what identifies it where it names a DOI or arXiv number.

    Examples
    --------
    >>> print(entry("simclr", "Chen et al. 2020, ICML, arXiv:2002.05709"))
    @misc{simclr,
      note = {Chen et al. 2020, ICML, arXiv:2002.05709},
      year = {2020},
      eprint = {2002.05709},
      archiveprefix = {arXiv},
    }
    """
    # what TeX would take for a command, a comment or a group
    fields = {"note": re.sub(r"([&%#_$])", r"\\\1", re.sub(r"[{}\\]", "", citation))}
    if year := re.search(r"\b(19|20)\d\d\b", citation):
        fields["year"] = year[0]
    if doi := re.search(r"\b10\.\d{4,}/[^\s,;]+", citation):
        fields["doi"] = doi[0].rstrip(".)")
    if arxiv := re.search(r"arXiv:(\d{4}\.\d{4,5})", citation):
        fields |= {"eprint": arxiv[1], "archiveprefix": "arXiv"}
    lines = "".join(f"  {name} = {{{value}}},\n" for name, value in fields.items())
    return f"@misc{{{key},\n{lines}}}"


def bibtex(dataset: str, card: dict, models: dict[str, dict], wanted: set[str], root: Path) -> str:
    """Entries of the data set, of every network that names its source, and of the methods in use.

    Parameters
    ----------
    dataset, card : name and card of the data set
    models : cards of the networks by name
    wanted : keys of `resources/report/references.bib`
    """
    library = (root / "resources/report/references.bib").read_text()
    entries = re.findall(r"@\w+\{([^,]+),.*?\n\}", library, re.DOTALL)
    texts = re.findall(r"@\w+\{[^,]+,.*?\n\}", library, re.DOTALL)
    own = [entry(dataset, card["citation"])]
    own += [entry(name, model["citation"]) for name, model in models.items() if model.get("citation")]
    return "\n\n".join(own + [text for key, text in zip(entries, texts, strict=True) if key in wanted])


def references(config: dict, dataset: dict) -> set[str]:
    """Keys of the methods that a study uses, in `resources/report/references.bib`."""
    measures, one_pass = config["measures"], config["inference"]["standard_error"] == "one-pass"
    records = COMPARISONS[measures["comparison"]], DISSIMILARITIES[measures["dissimilarity"]]
    used = {
        "efron1982": one_pass,
        "schutt2023": not one_pass,
        "duprelatour2022": bool(config["encoding"]["methods"]) and dataset["loader"] != "rdms",
        "nili2014": dataset["loader"] == "rdms",
    }
    always = {"kriegeskorte2008", "snakemake2021", "mantel1967"}
    return always.union({key for key in used if used[key]}, *(record.references for record in records))
