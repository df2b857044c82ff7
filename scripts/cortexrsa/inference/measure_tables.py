"""Tables of all measures: every layer, and the ranks of the networks with their agreement."""

from __future__ import annotations

import numpy as np
import pandas as pd
import xarray
from scipy import stats

from cortexrsa.formats.columns.measures import MEASURE_RANKS, MEASURES
from cortexrsa.geometry.registry import COMPARISONS
from cortexrsa.geometry.registry import MEASURES as REGISTERED
from cortexrsa.inference.errors import Replicated
from cortexrsa.inference.names import GROUP, PRIMARY
from cortexrsa.inference.score_table import score_table
from cortexrsa.inference.settings import Settings
from cortexrsa.inference.study import heldout_scores, model_scores, models_of_seeds, parts_of
from cortexrsa.seeds import card_of, seed_of
from cortexrsa.streams import Stream, generator

Results = dict[str, dict[str, xarray.Dataset]]
DRAWS = 2000
ENCODING_SCALE = "mean over voxels of r of predicted and measured responses, -1 to 1"


def scale_and_errors(measure: str, comparison: str, standard_error: str) -> tuple[str, str]:
    """What a score of a measure is, and how its error is made, in words.

    Parameters
    ----------
    measure : rsa, encoding, or of `geometry.registry.MEASURES`
    comparison, standard_error : of the study
    """
    if measure == "rsa":
        return f"{COMPARISONS[comparison].meaning} of RDMs, -1 to 1", f"{standard_error}, as in scores.csv"
    if measure == "encoding":
        return ENCODING_SCALE, "one pass: influence of stimuli, as in encoding.csv"
    return REGISTERED[measure].scale, REGISTERED[measure].errors


def measures_table(results: Results, dataset: str, comparison: str, settings: Settings) -> pd.DataFrame:
    """Every layer of every network under every measure, over the test stimuli.

    Parameters
    ----------
    results : by measure and network (each seed of a card for itself), of `scores.score_network` or alike
    comparison : of the study
    settings : confidence, seed and standard_error

    Returns
    -------
    table with the columns `formats.columns.measures.MEASURES`
    """
    tables = []
    for measure, own in results.items():
        table = score_table(
            {name: result.sel(split=[PRIMARY]) for name, result in own.items()}, dataset, measure, settings
        )
        # a measure without a test has no corrected p either
        table.loc[table["p"].isna(), ["p_fwe", "q_fdr"]] = np.nan
        table["scale"], table["errors"] = scale_and_errors(measure, comparison, settings.standard_error)
        table["note"] = _counts(table, own) + table["note"]
        tables.append(table)
    table = pd.concat(tables, ignore_index=True)
    dimensions = _dimensions(results)
    for column, keys in (
        ("dimensionality", ["model", "seed", "layer"]),
        ("roi_dimensionality", ["subject", "roi"]),
    ):
        found = dimensions[column]
        table[column] = [found.get(key, np.nan) for key in zip(*(table[name] for name in keys), strict=True)]
    return table[list(MEASURES.columns)]


def _counts(table: pd.DataFrame, own: dict[str, xarray.Dataset]) -> list[str]:
    """What soft matching took of layers and ROIs, before the note of each row; of other measures nothing."""
    first = next(iter(own.values()))
    if "n_matched" not in first:
        return [""] * len(table)
    features = {}
    for name, result in own.items():
        numbers = (result[column].to_numpy() for column in ("n_matched", "n_features", "n_constant"))
        for layer, taken, every, constant in zip(result["layer"].to_numpy(), *numbers, strict=True):
            said = f"{taken} of {every} features ({constant} do not vary)"
            features[card_of(name), seed_of(name), layer] = said
    # the same for all networks
    people = first[["n_voxels", "n_left_out"]].to_dataframe().groupby(["subject", "roi"])
    voxels = people[["n_voxels", "n_left_out"]].sum()
    groups = voxels.groupby("roi").sum()
    notes = []
    for row in table.itertuples():
        here = groups.loc[row.roi] if row.subject == GROUP else voxels.loc[(row.subject, row.roi)]
        of_layer = features[row.model, row.seed, row.layer]
        text = f"{of_layer}, {here['n_voxels']:.0f} voxels ({here['n_left_out']:.0f} left out)"
        notes.append(f"{text}; " if row.note else text)
    return notes


def _dimensions(results: Results) -> dict[str, dict[tuple, float]]:
    """Effective dimensionalities by model, seed and layer, and by subject and ROI, as far as known."""
    found = {"dimensionality": {}, "roi_dimensionality": {}}
    for networks in results.values():
        for name, result in networks.items():
            if "dimensionality" not in result:
                continue
            for layer, value in zip(result["layer"].values, result["dimensionality"].values, strict=True):
                found["dimensionality"][card_of(name), seed_of(name), layer] = value
            values = result["roi_dimensionality"]
            for subject in values["subject"].values:
                for roi in values["roi"].values:
                    own = float(values.sel(subject=subject, roi=roi))
                    found["roi_dimensionality"][subject, roi] = own
    return found


# ---- ranks -----------------------------------------------------------------------------------------------


def kendalls_w(scores: np.ndarray) -> np.ndarray:
    """Kendall's coefficient of concordance of rankings, corrected for ties.

    Parameters
    ----------
    scores : (..., measures, networks)

    Returns
    -------
    (...) from 0 to 1: all rankings alike

    References
    ----------
    Kendall & Babington Smith 1939, doi:10.1214/aoms/1177732186
    """
    ranks = stats.rankdata(scores, axis=-1)
    measures, networks = scores.shape[-2:]
    spread = ((ranks.sum(axis=-2) - measures * (networks + 1) / 2) ** 2).sum(axis=-1)
    # what all rankings together could spread: less with ties
    own = ((ranks - (networks + 1) / 2) ** 2).sum(axis=(-1, -2))
    with np.errstate(invalid="ignore", divide="ignore"):
        return spread / (measures * own)


def ranks_table(
    results: Results,
    dataset: str,
    settings: Settings,
    variants: dict[str, str] | None = None,
) -> pd.DataFrame:
    """Ranks of the networks by the score of the held-out best layer, under every measure, and how they agree.

    Parameters
    ----------
    results : by measure and network, with errors over the same stimuli
    variants : see `seeds.over_seeds`

    Returns
    -------
    table with the columns `formats.columns.measures.MEASURE_RANKS`
    """
    rows = []
    for part, rois in _same_rois(results):
        n = int(next(iter(next(iter(part.values())).values()))["n_stimuli"][0])
        scored = {
            measure: models_of_seeds(
                {name: model_scores(one, settings.seed) for name, one in own.items()}, variants
            )["models"]
            for measure, own in part.items()
        }
        units = {measure: _units_of(next(iter(own.values()))) for measure, own in part.items()}
        for roi, label in enumerate(rois):
            found = {
                measure: {name: heldout_scores(model, roi, "all") for name, model in own.items()}
                for measure, own in scored.items()
            }
            rows += _of_roi(found, n, units, settings, {"dataset": dataset, "roi": label})
    return pd.DataFrame(rows, columns=list(MEASURE_RANKS.columns))


def _same_rois(results: Results):
    """The results of ROIs that have the same subjects, with the names of the ROIs."""
    split = {
        measure: {name: parts_of(one.sel(split=[PRIMARY])) for name, one in own.items()}
        for measure, own in results.items()
    }
    first = next(iter(next(iter(split.values())).values()))
    for k, part in enumerate(first):
        rois = list(part["roi"].values)
        of_part = {}
        for measure, own in split.items():
            found = {name: parts[k] for name, parts in own.items() if len(parts) > k}
            if found and all(set(rois) <= set(one["roi"].values) for one in found.values()):
                of_part[measure] = {name: one.sel(roi=rois) for name, one in found.items()}
        yield of_part, rois


def _units_of(result: xarray.Dataset) -> np.ndarray | None:
    """Unit of every test stimulus, from 0, where errors are over units; None where over single stimuli."""
    return result["unit_of_stimulus"].to_numpy() if "unit_of_stimulus" in result else None


def _of_roi(
    found: dict[str, dict[str, Replicated]],
    n: int,
    units: dict[str, np.ndarray | None],
    settings: Settings,
    said: dict,
) -> list[dict]:
    """Rows of one ROI."""
    models = [
        name
        for name in next(iter(found.values()))
        if all(name in own and np.isfinite(own[name].estimate) for own in found.values())
    ]
    scores = np.array([[own[name].estimate for name in models] for own in found.values()])
    w, limits = np.nan, (np.nan, np.nan)
    if len(models) > 1 and len(found) > 1:
        w = float(kendalls_w(scores))
        drawn = _draws(
            [[own[name] for name in models] for own in found.values()],
            n,
            [units[measure] for measure in found],
            settings.seed,
        )
        tail = 50 * (1 - settings.confidence)
        limits = np.percentile(kendalls_w(drawn), [tail, 100 - tail])
    rows = []
    for measure, own in found.items():
        names = [name for name in own if np.isfinite(own[name].estimate)]
        order = stats.rankdata([-own[name].estimate for name in names])
        for name, rank in zip(names, order, strict=True):
            low, high = own[name].evaluated().interval(settings.confidence)[1:]
            row = {"measure": measure, "model": name, "score": float(own[name].estimate), "rank": float(rank)}
            row |= {"ci_low": float(low), "ci_high": float(high)}
            rows.append(said | row | {"w": w, "w_low": limits[0], "w_high": limits[1]})
    return rows


def _draws(scores: list[list[Replicated]], n: int, units: list[np.ndarray | None], seed: int) -> np.ndarray:
    """Joint normal draws (draws, measures, networks) of scores whose errors are over the same stimuli.

    Correlations are those of the influence of single stimuli, or of units of these where a measure has errors
    over units (whose stimuli are drawn together then), variances those of every score.
    """
    codes = next((each for each in units if each is not None), np.arange(n))
    random = generator(seed, Stream.JOINT).standard_normal((DRAWS, codes.max() + 1))
    out = np.empty((DRAWS, len(scores), len(scores[0])))
    for k, own in enumerate(scores):
        drawn = random[:, codes] if units[k] is None else random
        for j, score in enumerate(own):
            rows = score.rows[_of_stimuli(score, drawn.shape[1])]
            moved = drawn @ (rows - rows.mean())
            size = moved.std()
            error = np.sqrt(np.nan_to_num(score.evaluated().variance))
            out[:, k, j] = score.estimate + (moved / size * error if size > 0 else 0)
    return out


def _of_stimuli(score: Replicated, n: int) -> slice:
    """The rows in which single stimuli count more."""
    first, second = score.stimuli.sizes
    return slice(first, first + n) if second else slice(0, n)
