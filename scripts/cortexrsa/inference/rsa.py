"""RSA of one network with the brain data, and the tables made from several."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import xarray

from cortexrsa.files import InputError, RDMs, read_dataset
from cortexrsa.geometry.compare import compare, normalise
from cortexrsa.geometry.rdm import select_stimuli
from cortexrsa.inference import permutation, profiles
from cortexrsa.inference.bootstrap import Resampled, draw_counts, group_scores, interval, resampled_similarity
from cortexrsa.inference.claims import ModelScores

# the split on which claims are made; layers are chosen on the other one where it exists
PRIMARY, SELECTION = "test", "train"
GROUP = "group"
CONSTANT_NOTE = "constant pattern: the layer does not vary over its features or over the stimuli"


def brain_array(brain: RDMs, split: str) -> tuple[np.ndarray, list[str], list[str]]:
    """Brain RDMs of one split as (subjects, rois, pairs), with the names of the subjects and ROIs.

    Raises
    ------
    InputError : a subject lacks a ROI, or an RDM is not finite.
    """
    subjects, rois = (list(dict.fromkeys(brain.rdms[column])) for column in ("subject", "roi"))
    rows = brain.rdms.assign(row=range(len(brain.rdms))).pivot(index="subject", columns="roi", values="row")
    lacking = rows.isna().stack()
    if lacking.any():
        subject, roi = lacking.index[lacking][0]
        raise InputError("brain RDMs", f"subject {subject}", f"no ROI {roi}", "every ROI in every subject")
    if not np.isfinite(brain.dissimilarities).all():
        raise InputError("brain RDMs", "dissimilarities", "NaN or infinite values", "finite values")
    rows = rows.loc[subjects, rois].to_numpy()
    keep = (brain.patterns["split"] == split).to_numpy()
    return select_stimuli(brain.dissimilarities, keep)[rows], subjects, rois


def splits_of(brain: RDMs) -> list[str]:
    """Splits of the stimuli, the primary one first."""
    present = set(brain.patterns["split"])
    return [split for split in (PRIMARY, SELECTION) if split in present]


def score_network(
    network: RDMs, brain: RDMs, comparison: str, inference: dict, threads: int = 1, source: str = "RDMs"
) -> xarray.Dataset:
    """Scores of all layers in all ROIs and subjects, with the shared resamples and permutations.

    Parameters
    ----------
    network : RDMs with columns layer, layer_index, depth
    brain : RDMs with columns subject, roi, over the same stimuli
    comparison : spearman, rho-a, pearson or cosine
    inference : bootstrap, permutations, halves (numbers of them) and seed; subject_effect: fixed, if claims
        are not to generalise over subjects
    source : file to name in an error

    Returns
    -------
    xarray.Dataset with
        score (split, subject, roi, layer), draws (split, draw, subject, roi, layer): all splits;
        heldout (subject, roi, candidate), heldout_draws (draw, subject, roi, candidate): scores in the
        primary split of layers chosen on other stimuli (the training split, or repeated halves);
        p (unit, roi, layer), null_maximum (permutation, unit, roi): permutation test in the primary split,
        units are the subjects and, with several, their mean.

    Raises
    ------
    InputError : the stimuli of network and brain differ.
    """
    for column in ("stimulus_id", "split"):
        if list(network.patterns[column]) != list(brain.patterns[column]):
            raise InputError(source, column, "other stimuli or another order", "those of the brain RDMs")
    depth = network.rdms["depth"].to_numpy()
    n_draws = inference["bootstrap"]
    result = []
    for split in splits_of(brain):
        targets, subjects, rois = brain_array(brain, split)
        keep = (network.patterns["split"] == split).to_numpy()
        layers = select_stimuli(network.dissimilarities, keep)
        counts = draw_counts(int(keep.sum()), n_draws, inference["seed"])
        shape = (len(subjects), len(rois), len(layers))
        flat = targets.reshape(-1, targets.shape[-1])
        similarities = resampled_similarity(flat, layers, counts, comparison, threads)
        data = {
            "score": (("subject", "roi", "layer"), compare(flat, layers, comparison).reshape(shape)),
            "draws": (("draw", "subject", "roi", "layer"), similarities.reshape(n_draws, *shape)),
            "n_stimuli": int(keep.sum()),
        }
        result.append(xarray.Dataset(data))
        if split == PRIMARY:
            primary = targets, layers, counts
    dataset = xarray.concat(result, dim="split").assign_coords(
        split=splits_of(brain),
        subject=subjects,
        roi=rois,
        layer=list(network.rdms["layer"]),
        depth=("layer", depth),
        layer_index=("layer", network.rdms["layer_index"]),
        candidate=list(profiles.CANDIDATES),
    )
    targets, layers, counts = primary
    heldout, heldout_draws = _heldout_scores(dataset, targets, layers, counts, comparison, inference, threads)
    dataset["heldout"] = (("subject", "roi", "candidate"), heldout)
    dataset["heldout_draws"] = (("draw", "subject", "roi", "candidate"), heldout_draws)
    dataset.attrs["subject_effect"] = inference.get("subject_effect", "random")
    return dataset.merge(_permutation_test(targets, layers, subjects, comparison, inference))


def _heldout_scores(dataset, targets, layers, counts, comparison, inference, threads):
    """heldout and heldout_draws of `score_network`."""
    candidates = profiles.candidate_layers(dataset["depth"].to_numpy())
    if SELECTION in dataset["split"]:
        selection = dataset["score"].sel(split=SELECTION).mean("subject").to_numpy()
        chosen = profiles.choose_layers(selection, candidates)
        primary = dataset.sel(split=PRIMARY)
        return tuple(
            profiles.scores_of_chosen(primary[name].to_numpy(), chosen) for name in ("score", "draws")
        )
    halves = profiles.random_halves(counts.shape[1], inference["halves"], [inference["seed"], 2])
    sample_and_draws = np.concatenate([np.ones((1, counts.shape[1]), counts.dtype), counts])
    scores = profiles.heldout_in_halves(
        targets, layers, sample_and_draws, halves, candidates, comparison, threads
    )
    return scores[0], scores[1:]


def _permutation_test(targets, layers, subjects, comparison, inference) -> xarray.Dataset:
    """p and null_maximum of `score_network`."""
    n_subjects, n_rois, pairs = targets.shape
    units = list(subjects)
    normalised = normalise(targets.reshape(-1, pairs), comparison).reshape(targets.shape)
    if n_subjects > 1:
        units.append(GROUP)
        group = [permutation.group_rdm(targets[:, roi], comparison) for roi in range(n_rois)]
        normalised = np.concatenate([normalised, np.stack(group)[None]])
    networks = normalise(layers, comparison)
    flat = normalised.reshape(-1, pairs)
    null = permutation.permutation_null(flat, networks, inference["permutations"], inference["seed"])
    null = null.reshape(-1, len(units), n_rois, len(layers))
    observed = (flat @ networks.T).reshape(null.shape[1:])
    sound = np.isfinite(observed).any(axis=-1)
    maximum = np.where(sound, np.nan_to_num(null, nan=-np.inf).max(axis=-1), np.nan)
    return xarray.Dataset(
        {
            "p": (("unit", "roi", "layer"), permutation.p_values(observed, null)),
            "null_maximum": (("permutation", "unit", "roi"), maximum),
        },
        coords={"unit": units},
    )


# ---- tables ----------------------------------------------------------------------------------------------


def _units(
    scores: np.ndarray, draws: np.ndarray, subjects: list[str], n: int, seed: int, fixed: bool
) -> dict:
    """Resampled scores by unit: every subject (stimuli resampled), and with several subjects their mean."""
    units = {
        subject: Resampled(scores[s], draws[:, s], None, None, n, 1) for s, subject in enumerate(subjects)
    }
    if len(subjects) > 1:
        units[GROUP] = group_scores(scores, draws, n, seed, fixed)
    return units


def _subjects_fixed(result: xarray.Dataset) -> bool:
    return result.attrs.get("subject_effect") == "fixed"


def score_table(
    results: dict[str, xarray.Dataset], dataset: str, measure: str, confidence: float, seed: int
) -> pd.DataFrame:
    """Tidy table of all scores of a data set.

    p, p_fwe and q_fdr are given for the primary split; the family of the corrections is all layers of all
    networks within one ROI and one unit (subject, or the group).

    Parameters
    ----------
    results : of `score_network`, by model name

    Returns
    -------
    table with columns dataset, subject, roi, model, layer, layer_index, depth, split, measure, score, se,
    ci_low, ci_high, p, p_fwe, q_fdr, n_stimuli, note
    """
    rows = []
    for model, result in results.items():
        subjects = list(result["subject"].to_numpy())
        for split in result["split"].to_numpy():
            part = result.sel(split=split)
            n = int(part["n_stimuli"])
            scores, draws = part["score"].to_numpy(), part["draws"].to_numpy()
            units = _units(scores, draws, subjects, n, seed, _subjects_fixed(result))
            for unit, scores in units.items():
                se, low, high = interval(scores, confidence)
                for r, roi in enumerate(result["roi"].to_numpy()):
                    tested = split == PRIMARY
                    p = result["p"].sel(unit=unit, roi=roi).to_numpy() if tested else np.nan
                    rows.append(
                        pd.DataFrame(
                            {
                                "dataset": dataset,
                                "subject": unit,
                                "roi": roi,
                                "model": model,
                                "layer": result["layer"].to_numpy(),
                                "layer_index": result["layer_index"].to_numpy(),
                                "depth": result["depth"].to_numpy(),
                                "split": split,
                                "measure": measure,
                                "score": scores.estimate[r],
                                "se": se[r],
                                "ci_low": low[r],
                                "ci_high": high[r],
                                "p": p,
                                "p_fwe": np.nan,
                                "q_fdr": np.nan,
                                "n_stimuli": n,
                                "note": np.where(np.isnan(scores.estimate[r]), CONSTANT_NOTE, ""),
                            }
                        )
                    )
    table = pd.concat(rows, ignore_index=True)
    primary = table[table["split"] == PRIMARY]
    for (unit, roi), family in primary.groupby(["subject", "roi"]):
        maxima = [result["null_maximum"].sel(unit=unit, roi=roi).to_numpy() for result in results.values()]
        maximum = np.fmax.reduce(maxima)
        table.loc[family.index, "p_fwe"] = permutation.familywise_p(family["score"].to_numpy(), maximum)
        table.loc[family.index, "q_fdr"] = permutation.false_discovery_q(family["p"].to_numpy())
    return table


def model_scores(result: xarray.Dataset, seed: int) -> ModelScores:
    """What the claims need of one network: the mean over subjects in the primary split."""
    part = result.sel(split=PRIMARY)
    n = int(part["n_stimuli"])
    fixed = _subjects_fixed(result)
    return ModelScores(
        result["depth"].to_numpy(),
        group_scores(part["score"].to_numpy(), part["draws"].to_numpy(), n, seed, fixed),
        group_scores(result["heldout"].to_numpy(), result["heldout_draws"].to_numpy(), n, seed, fixed),
    )


def read_results(paths: list[str]) -> dict[str, xarray.Dataset]:
    """Results of `score_network` by model name (the name of the file)."""
    variables = ["score", "draws", "n_stimuli", "heldout", "heldout_draws", "p", "null_maximum", "depth"]
    return {Path(path).stem: read_dataset(path, variables) for path in paths}
