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
NOISE = {"ar1": "autoregressive noise of first order", "ols": "ordinary least squares"}


def _lower(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:]


def methods(config: dict, dataset: dict, models: dict[str, dict], facts: dict, versions: dict) -> list[str]:
    """Paragraphs that say what was done.

    Parameters
    ----------
    config : of the study, checked
    dataset : card of the data set
    models : cards of the networks by name, one for all seeds
    facts : stimuli by split, subjects, voxels by ROI; see `page.facts`
    versions : by package, as recorded
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
    used = {
        "efron1982": one_pass,
        "schutt2023": not one_pass or measures["comparison"] in ("rho-a", "corr_cov", "cosine_cov"),
        "walther2016": measures["dissimilarity"] in ("crossnobis", "mahalanobis"),
        "diedrichsen2020": measures["comparison"] in ("corr_cov", "cosine_cov"),
        "duprelatour2022": bool(config["encoding"]["methods"]) and dataset["loader"] != "rdms",
        "nili2014": dataset["loader"] == "rdms",
    }
    return {"kriegeskorte2008", "snakemake2021", "mantel1967"} | {key for key in used if used[key]}
