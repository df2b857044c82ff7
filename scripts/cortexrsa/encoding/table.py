"""Tidy table of the encoding scores of all networks, corrected for the family of tests."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import xarray

from cortexrsa.encoding.reliability import UNKNOWN
from cortexrsa.formats.columns.encoding import ENCODING
from cortexrsa.formats.netcdf import read_dataset
from cortexrsa.inference.errors import Replicated, Replicates, over_subjects
from cortexrsa.inference.families import false_discovery_q, familywise_p
from cortexrsa.inference.names import GROUP, PRIMARY
from cortexrsa.inference.settings import Settings, taken_as_fixed
from cortexrsa.inference.study import parts_of
from cortexrsa.seeds import card_of, seed_of

CONSTANT_NOTE = "constant layer: it does not vary over the training stimuli"
UNRELIABLE_NOTE = "no voxel is reliable enough for a corrected score"
VARIABLES = ("score", "deviations", "corrected", "corrected_deviations", "replicates", "p", "null_maximum")


def read_encodings(paths: list[str]) -> dict[str, xarray.Dataset]:
    """Results of `network.encode_network` by model name (the name of the file)."""
    return {Path(path).stem: read_dataset(path, VARIABLES) for path in paths}


def replicated(
    part: xarray.Dataset, seed: int, which: str = "score", subject: int | None = None
) -> Replicated:
    """Scores of all subjects' mean, or of one subject, (rois, layers), as `study.group_scores`.

    Parameters
    ----------
    part : one estimator of `network.encode_network`, in ROIs that have the same subjects
    which : score or corrected
    """
    part = part.sel(split=PRIMARY)
    chosen = slice(None) if subject is None else slice(subject, subject + 1)
    return over_subjects(
        part[which].to_numpy()[chosen],
        part["deviations" if which == "score" else "corrected_deviations"]
        .to_numpy()[:, chosen]
        .astype(np.float64),
        Replicates.unpacked(part["replicates"].to_numpy()),
        seed,
        taken_as_fixed(part.attrs["subject_effect"], part.sizes["subject"]),
    )


def encoding_table(
    results: dict[str, xarray.Dataset],
    dataset: str,
    settings: Settings,
    trained_on: dict[str, list[str]] | None = None,
) -> pd.DataFrame:
    """Tidy table of all encoding scores of a data set.

    The family of the corrections is all layers of all networks within one ROI, one unit (subject, or the
    group) and one method.

    Parameters
    ----------
    results : of `network.encode_network`, by network; each seed of a card for itself
    settings : confidence and seed
    trained_on : by network, the sources of the stimuli that it was trained on

    Returns
    -------
    table with the columns `formats.columns.encoding.ENCODING`
    """
    rows = []
    for model, whole in results.items():
        for part in parts_of(whole):
            for method in part["estimator"].to_numpy():
                own = part.sel(estimator=method)
                subjects = list(part["subject"].to_numpy())
                for unit in [*range(len(subjects)), *([None] if len(subjects) > 1 else [])]:
                    rows += _rows(own, unit, settings)
                    for row in rows[-part.sizes["roi"] :]:
                        row.insert(0, "dataset", dataset)
                        row.insert(3, "model", card_of(model))
                        row.insert(4, "seed", seed_of(model))
                        row["trained_on"] = ", ".join((trained_on or {}).get(model, []))
    table = pd.concat(rows, ignore_index=True)
    for (unit, roi, method), family in table.groupby(["subject", "roi", "method"]):
        maxima = [
            result["null_maximum"].sel(estimator=method, unit=unit, roi=roi).to_numpy()
            for result in results.values()
        ]
        maximum = np.fmax.reduce(maxima)
        table.loc[family.index, "p_fwe"] = familywise_p(family["score"].to_numpy(), maximum)
        table.loc[family.index, "q_fdr"] = false_discovery_q(family["p"].to_numpy())
    return table[list(ENCODING.columns)]


def _rows(part: xarray.Dataset, unit: int | None, settings: Settings) -> list[pd.DataFrame]:
    """The layers of every ROI: of one subject, or of the group (None)."""
    subject = GROUP if unit is None else part["subject"].to_numpy()[unit]
    chosen = slice(None) if unit is None else slice(unit, unit + 1)
    errors = {}
    for which in ("score", "corrected"):
        values = replicated(part, settings.seed, which, unit)
        errors[which] = (values.estimate, *values.evaluated().interval(settings.confidence))
    found = []
    for r, roi in enumerate(part["roi"].to_numpy()):
        here = part.sel(split=PRIMARY).isel(roi=r, subject=chosen)
        voxels = (here["voxel_roi"] == roi) & here["voxel_subject"].isin(here["subject"].to_numpy())
        alphas = here["alpha"].to_numpy()[:, voxels.to_numpy()]
        (score, se, low, high), (corrected, _, corrected_low, corrected_high) = (
            [value[r] for value in errors[which]] for which in ("score", "corrected")
        )
        known = here.attrs["reliability_source"] != UNKNOWN
        note = np.where(known & np.isnan(corrected), UNRELIABLE_NOTE, "").astype(object)
        note[np.isnan(score)] = CONSTANT_NOTE
        mean = here[["median", "corrected_median", "r2_mean", "corrected_r2", "ceiling"]].mean(
            "subject", skipna=False
        )
        found.append(
            pd.DataFrame(
                {
                    "subject": subject,
                    "roi": roi,
                    "layer": part["layer"].to_numpy(),
                    "layer_index": part["layer_index"].to_numpy(),
                    "depth": part["depth"].to_numpy(),
                    "method": str(part["estimator"].to_numpy()),
                    "score": score,
                    "se": se,
                    "ci_low": low,
                    "ci_high": high,
                    "median": mean["median"].to_numpy(),
                    "corrected": corrected,
                    "corrected_low": corrected_low,
                    "corrected_high": corrected_high,
                    "corrected_median": mean["corrected_median"].to_numpy(),
                    "r2": mean["r2_mean"].to_numpy(),
                    "corrected_r2": mean["corrected_r2"].to_numpy(),
                    "ceiling": float(mean["ceiling"]),
                    "p": part["p"].sel(unit=subject, roi=roi).to_numpy(),
                    "p_fwe": np.nan,
                    "q_fdr": np.nan,
                    "n_stimuli": int(here["n_stimuli"]),
                    "n_voxels": int(here["n_voxels"].sum()),
                    "n_left_out": float(here["n_left_out"].sum(skipna=False)),
                    "alpha_low": np.quantile(alphas, 0.1, axis=1),
                    "alpha_median": np.quantile(alphas, 0.5, axis=1),
                    "alpha_high": np.quantile(alphas, 0.9, axis=1),
                    "reliability_source": here.attrs["reliability_source"],
                    "given": here.attrs["conditional"],
                    "note": note,
                }
            )
        )
    return found
