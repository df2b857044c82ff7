"""RSA of one network with the brain data, and the tables made from several."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import xarray

from cortexrsa.errors import InputError
from cortexrsa.formats.netcdf import read_dataset
from cortexrsa.formats.rdms import RDMs
from cortexrsa.geometry.compare import compare
from cortexrsa.geometry.rdm import select_stimuli
from cortexrsa.inference import permutation, profiles
from cortexrsa.inference.bootstrap import (
    GROUPS,
    Resampled,
    Resamples,
    group_scores,
    interval,
)
from cortexrsa.inference.fitted import fitted_scores, group_target, layer_weights
from cortexrsa.inference.resampling import resampled_similarity

# the split on which claims are made; layers are chosen on the other one where it exists
PRIMARY, SELECTION = "test", "train"
GROUP = "group"
CONSTANT_NOTE = "constant pattern: the layer does not vary over its features or over the stimuli"


@dataclass
class ModelScores:
    """Scores of one network.

    Attributes
    ----------
    depth : (layers,) relative depth
    scores : Resampled of (rois, layers)
    heldout : Resampled of (rois, candidates), scores of layers chosen (or weighted) on other stimuli
    candidates : names of the candidates, see `profiles`
    """

    depth: np.ndarray
    scores: Resampled
    heldout: Resampled
    candidates: list[str]


def brain_array(brain: RDMs, split: str) -> tuple[np.ndarray, list[str], list[str]]:
    """Brain RDMs of one split as (subjects, rois, pairs), with the names of the subjects and ROIs.

    Raises
    ------
    InputError : a subject lacks a ROI, or an RDM is not finite.
    """
    subjects, rois = (list(dict.fromkeys(brain.rdm_descriptors[column])) for column in ("subject", "roi"))
    rows = brain.rdm_descriptors.assign(row=range(len(brain.rdm_descriptors))).pivot(
        index="subject", columns="roi", values="row"
    )
    lacking = rows.isna().stack()
    if lacking.any():
        subject, roi = lacking.index[lacking][0]
        raise InputError(
            f"subject {subject}", f"no ROI {roi}", "every ROI in every subject", file="brain RDMs"
        )
    if not np.isfinite(brain.dissimilarities).all():
        raise InputError("dissimilarities", "NaN or infinite values", "finite values", file="brain RDMs")
    rows = rows.loc[subjects, rois].to_numpy()
    keep = (brain.pattern_descriptors["split"] == split).to_numpy()
    return select_stimuli(brain.dissimilarities, keep)[rows], subjects, rois


def splits_of(brain: RDMs) -> list[str]:
    """Splits of the stimuli, the primary one first."""
    present = set(brain.pattern_descriptors["split"])
    return [split for split in (PRIMARY, SELECTION) if split in present]


def score_network(
    network: RDMs, brain: RDMs, comparison: str, inference: dict, threads: int = 1, source: str = "RDMs"
) -> xarray.Dataset:
    """Scores of all layers in all ROIs and subjects, with the shared resamples and permutations.

    Parameters
    ----------
    network : RDMs with columns layer, layer_index, depth
    brain : RDMs with columns subject, roi, over the same stimuli
    comparison : see `compare.compare`
    inference : bootstrap, permutations, halves (numbers of them), fitted (whether to weight layers) and seed;
        subject_effect: fixed, if claims are not to generalise over subjects
    threads : the result does not depend on it
    source : file to name in an error

    Returns
    -------
    xarray.Dataset with
        score (split, subject, roi, layer), draws (split, draw, subject, roi, layer), left_out (split, group,
        subject, roi, layer; NaN in groups that a split does not have): all splits, with the noise_shares
        (split, resampling, noise) of `bootstrap.resampling_shares`;
        heldout (subject, roi, candidate), heldout_draws (draw, subject, roi, candidate), heldout_left_out
        (group, ...): scores in the primary split of layers chosen (weights fitted) on other stimuli (the
        training split, or repeated halves);
        p (unit, roi, layer), null_maximum (permutation, unit, roi): permutation test in the primary split,
        units are the subjects and, with several, their mean.

    Raises
    ------
    InputError : the stimuli of network and brain differ.
    """
    for column in ("stimulus_id", "split"):
        if list(network.pattern_descriptors[column]) != list(brain.pattern_descriptors[column]):
            raise InputError(column, "other stimuli or another order", "those of the brain RDMs", file=source)
    depth = network.rdm_descriptors["depth"].to_numpy()
    parts, result = {}, []
    for split in splits_of(brain):
        targets, subjects, rois = brain_array(brain, split)
        keep = (network.pattern_descriptors["split"] == split).to_numpy()
        layers = select_stimuli(network.dissimilarities, keep)
        resamples = Resamples.of(int(keep.sum()), inference["bootstrap"], inference["seed"])
        parts[split] = targets, layers, resamples
        flat = targets.reshape(-1, targets.shape[-1])
        similarities = resampled_similarity(flat, layers, resamples.counts, comparison, threads)
        similarities = similarities.reshape(-1, len(subjects), len(rois), len(layers))
        score, draws, left_out = resamples.parts(similarities)
        data = {
            "score": (("subject", "roi", "layer"), score),
            "draws": (("draw", "subject", "roi", "layer"), draws),
            "left_out": (("group", "subject", "roi", "layer"), left_out),
            "noise_shares": (("resampling", "noise"), resamples.shares),
            "n_stimuli": int(keep.sum()),
        }
        result.append(xarray.Dataset(data, coords={"group": range(len(left_out))}))
    dataset = xarray.concat(result, dim="split", join="outer").assign_coords(
        split=splits_of(brain),
        subject=subjects,
        roi=rois,
        layer=list(network.rdm_descriptors["layer"]),
        depth=("layer", depth),
        layer_index=("layer", network.rdm_descriptors["layer_index"]),
        candidate=[*profiles.CANDIDATES, *([profiles.FITTED] if inference["fitted"] else [])],
        resampling=["bootstrap", "jackknife"],
        noise=["stimulus", "pair"],
    )
    of = _chosen_in_training if SELECTION in parts else _chosen_in_halves
    heldout, draws, left_out = parts[PRIMARY][2].parts(of(dataset, parts, comparison, inference, threads))
    dataset["heldout"] = (("subject", "roi", "candidate"), heldout)
    dataset["heldout_draws"] = (("draw", "subject", "roi", "candidate"), draws)
    lacking = [(0, dataset.sizes["group"] - len(left_out))] + [(0, 0)] * heldout.ndim
    padded = np.pad(left_out, lacking, constant_values=np.nan)
    dataset["heldout_left_out"] = (("group", "subject", "roi", "candidate"), padded)
    dataset.attrs["subject_effect"] = inference.get("subject_effect", "random")
    targets, layers, _ = parts[PRIMARY]
    return dataset.merge(_permutation_test(targets, layers, subjects, comparison, inference, threads))


def _chosen_in_training(dataset, parts, comparison, inference, threads) -> np.ndarray:
    """Scores in the resamples (1 + draws + groups, subject, roi, candidate) of layers chosen once."""
    candidates = profiles.candidate_layers(dataset["depth"].to_numpy())
    training = dataset["score"].sel(split=SELECTION).mean("subject").to_numpy()
    primary = dataset.sel(split=PRIMARY)
    scores = [primary["score"].to_numpy()[None], primary["draws"].to_numpy()]
    scores.append(primary["left_out"].to_numpy()[: _groups(primary)])
    scores = profiles.scores_of_chosen(np.concatenate(scores), profiles.choose_layers(training, candidates))
    if not inference["fitted"]:
        return scores
    targets, layers, resamples = parts[SELECTION]
    weights = layer_weights(group_target(targets), layers, resamples.counts[:1], threads)
    targets, layers, resamples = parts[PRIMARY]
    fitted = fitted_scores(targets, layers, resamples.counts, weights, comparison, threads)
    return np.concatenate([scores, fitted[..., None]], axis=-1)


def _chosen_in_halves(dataset, parts, comparison, inference, threads) -> np.ndarray:
    """As `_chosen_in_training`; chosen in halves of the stimuli of every resample."""
    targets, layers, resamples = parts[PRIMARY]
    counts = resamples.counts
    candidates = profiles.candidate_layers(dataset["depth"].to_numpy())
    halves = profiles.random_halves(counts.shape[1], inference["halves"], [inference["seed"], 2])
    return profiles.heldout_in_halves(
        targets, layers, counts, halves, candidates, comparison, inference["fitted"], threads
    )


def _groups(part: xarray.Dataset) -> int:
    """Number of groups of stimuli that are left out in one split."""
    return min(int(part["n_stimuli"]), GROUPS)


def _permutation_test(targets, layers, subjects, comparison, inference, threads) -> xarray.Dataset:
    """p and null_maximum of `score_network`."""
    n_subjects, n_rois, pairs = targets.shape
    flat = targets.reshape(-1, pairs)
    null = permutation.permutation_null(
        flat, layers, inference["permutations"], inference["seed"], comparison, threads
    ).reshape(-1, n_subjects, n_rois, len(layers))
    observed = compare(flat, layers, comparison, threads).reshape(null.shape[1:])
    units = list(subjects)
    if n_subjects > 1:
        units.append(GROUP)
        null = np.concatenate([null, null.mean(axis=1, keepdims=True)], axis=1)
        observed = np.concatenate([observed, observed.mean(axis=0, keepdims=True)])
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


def _group(part: xarray.Dataset, inference: dict, which: str = "", subject: int | None = None) -> Resampled:
    """Resampled scores of all subjects' mean, or of one subject: of all layers, or which="heldout_".

    Parameters
    ----------
    part : one split of `score_network`
    inference : seed, and standard_error ("corrected" or "bootstrap")
    """
    scores = part[which.rstrip("_") or "score"].to_numpy()
    draws, left_out = part[f"{which}draws"].to_numpy(), part[f"{which}left_out"].to_numpy()
    chosen = slice(None) if subject is None else slice(subject, subject + 1)
    corrected = inference["standard_error"] == "corrected"
    return group_scores(
        scores[chosen],
        draws[:, chosen],
        int(part["n_stimuli"]),
        inference["seed"],
        left_out[: _groups(part), chosen] if corrected else None,
        part["noise_shares"].to_numpy(),
        part.attrs.get("subject_effect") == "fixed",
    )


def score_table(
    results: dict[str, xarray.Dataset], dataset: str, measure: str, inference: dict
) -> pd.DataFrame:
    """Tidy table of all scores of a data set.

    p, p_fwe and q_fdr are given for the primary split; the family of the corrections is all layers of all
    networks within one ROI and one unit (subject, or the group).

    Parameters
    ----------
    results : of `score_network`, by model name
    inference : confidence, seed, standard_error

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
            units = {subject: _group(part, inference, subject=s) for s, subject in enumerate(subjects)}
            if len(subjects) > 1:
                units[GROUP] = _group(part, inference)
            for unit, scores in units.items():
                se, low, high = interval(scores, inference["confidence"])
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
                                "n_stimuli": int(part["n_stimuli"]),
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


def smallest_p(scores: pd.DataFrame) -> dict[str, float]:
    """Per ROI the smallest p_fwe of any layer in the primary split: of the group, or of the one subject.

    `scores` is the table of `score_table`.
    """
    primary = scores[scores["split"] == PRIMARY]
    if GROUP in set(primary["subject"]):
        primary = primary[primary["subject"] == GROUP]
    return primary.groupby("roi")["p_fwe"].min().to_dict()


def model_scores(result: xarray.Dataset, inference: dict) -> ModelScores:
    """What the claims need of one network: the mean over subjects in the primary split.

    `inference` holds seed and standard_error.
    """
    part = result.sel(split=PRIMARY)
    return ModelScores(
        result["depth"].to_numpy(),
        _group(part, inference),
        _group(part, inference, "heldout_"),
        [str(candidate) for candidate in result["candidate"].to_numpy()],
    )


def read_results(paths: list[str]) -> dict[str, xarray.Dataset]:
    """Results of `score_network` by model name (the name of the file)."""
    variables = [
        *("score", "draws", "left_out", "noise_shares", "n_stimuli", "heldout", "heldout_draws"),
        *("heldout_left_out", "p", "null_maximum", "depth"),
    ]
    return {Path(path).stem: read_dataset(path, variables) for path in paths}
