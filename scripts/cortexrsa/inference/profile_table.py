"""What is read off each profile of scores, for tables and figures."""

from __future__ import annotations

import numpy as np
import pandas as pd

from cortexrsa.formats.columns import claims as tables
from cortexrsa.inference import profiles
from cortexrsa.inference.centroids import Centroid
from cortexrsa.inference.claims.study import Study
from cortexrsa.inference.names import FITTED
from cortexrsa.inference.study import heldout_scores, profile_scores


def summarise(study: Study) -> pd.DataFrame:
    """What is read off each profile: centroid, highest and held-out score, slope, curvature.

    Returns
    -------
    table with the columns `columns.claims.PROFILES`; networks of fewer than 3 layers have a held-out score
    only
    """
    rows = []
    for name, model in study.models.items():
        drawn = model.scores.drawn(study.seed) if len(model.depth) >= 3 else None
        for r, roi in enumerate(study.rois):
            statistics = {"held-out best layer": heldout_scores(model, r, "all")}
            if FITTED in model.candidates:
                statistics["held-out weighted layers"] = heldout_scores(model, r, FITTED)
            if len(model.depth) >= 3:
                scores = profile_scores(model, r)
                statistics |= {
                    label: scores.apply(lambda scores, d=model.depth, f=function: f(scores, d))
                    for label, function in (("slope", profiles.slope), ("curvature", profiles.curvature))
                }
                centroid = Centroid(drawn.apply(lambda scores, r=r: scores[..., r, :]), model.depth)
                limits = centroid.interval(study.confidence)
                rows.append((name, roi, "depth centroid", centroid.estimate, *limits))
                best = model.depth[np.argmax(np.nan_to_num(scores.estimate, nan=-np.inf))]
                rows.append((name, roi, "depth of the highest test score", best, np.nan, np.nan))
            for label, statistic in statistics.items():
                _, low, high = statistic.evaluated().interval(study.confidence)
                rows.append((name, roi, label, float(statistic.estimate), float(low), float(high)))
    return pd.DataFrame(rows, columns=list(tables.PROFILES.columns))
