"""Methods of a study, ready for a paper, with its references as BibTeX."""

from __future__ import annotations

import re
from pathlib import Path

from cortexrsa.cards import seen_by
from cortexrsa.formats.padding import BACKGROUND
from cortexrsa.geometry.registry import COMPARISONS, DISSIMILARITIES, UNITS
from cortexrsa.inference.settings import MEAN_RDM

ERRORS = {
    "one-pass": "Standard errors follow from the influence of every stimulus and of every pair of stimuli "
    "on the score (the infinitesimal jackknife, as a U-statistic), without resampling",
    "resampled": "Standard errors come from a bootstrap over stimuli, corrected for repeated stimuli",
    "bootstrap": "Standard errors come from a plain bootstrap over stimuli",
}


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
    splits = " and ".join(f"{count} {split}" for split, count in facts["stimuli"].items())
    data = f"{dataset['description'].rstrip('. ')}. There are {splits} stimuli and {facts['subjects']}"
    data += f" subject{'s' * (facts['subjects'] != 1)}."
    if facts["voxels"]:
        voxels = ", ".join(f"{roi} ({count} voxels)" for roi, count in facts["voxels"].items())
        data += f" The regions of interest are {voxels}."
    labels = ", ".join(card["label"] for card in models.values())
    networks = f"The networks and baselines are {labels}. {_images(dataset, models)} Features of a layer are "
    networks += f"taken {UNITS[measures['units']]}."
    distance = DISSIMILARITIES[measures["dissimilarity"]]
    geometry = "Representational dissimilarity matrices hold the dissimilarity of the response patterns of "
    geometry += f"every pair of stimuli ({_lower(distance.meaning)}). They are compared by "
    geometry += f"{COMPARISONS[measures['comparison']].meaning} ({measures['comparison']})."
    errors = f"{ERRORS[inference['standard_error']]}; intervals are {100 * inference['confidence']:g} % "
    errors += f"confidence intervals. Scores are tested against zero by {inference['permutations']:,} "
    errors += (
        "relabellings of the stimuli (by the moments of all relabellings beyond 2,000 stimuli), corrected "
    )
    errors += "for all layers of all networks within a region of interest."
    software = ", ".join(f"{name} {versions[name]}" for name in sorted(versions))
    if facts["subjects"] > 1:
        group = "the mean of their scores"
        if inference["group"] == MEAN_RDM:
            group = "the score against the mean of their dissimilarity matrices"
        errors += f" The score of several subjects is {group}."
    return [data, networks, geometry, errors, f"The analysis was run with {software}."]


def _images(dataset: dict, models: dict[str, dict]) -> str:
    """What is done to the images before networks see them."""
    sizes: dict[int, list[str]] = {}
    for name, card in models.items():
        sizes.setdefault(seen_by(name, card, "", dataset)["size"], []).append(card["label"])
    told = "; ".join(
        f"{size} x {size} pixels ({', '.join(labels)})" for size, labels in sorted(sizes.items())
    )
    angle = f", which cover {dataset['degrees']:g} degrees of visual angle," if "degrees" in dataset else ""
    grey = dataset.get("background", BACKGROUND)
    return (
        f"They see whole images{angle} resized to {told}; an image that is not square lies in the middle of "
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
    fields = {"note": citation.replace("&", "\\&")}
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
        "duprelatour2022": bool(config["encoding"]["methods"]),
        "nili2014": dataset["loader"] == "rdms",
    }
    return {"kriegeskorte2008", "snakemake2021", "mantel1967"} | {key for key in used if used[key]}
