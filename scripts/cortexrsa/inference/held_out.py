"""RSA on test stimuli of categories of which a guided network was shown no stimulus with the brain."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import xarray

from cortexrsa.errors import InputError
from cortexrsa.formats.rdms import RDMs
from cortexrsa.geometry.rdm import select_stimuli
from cortexrsa.inference.design import design_of
from cortexrsa.inference.names import PRIMARY
from cortexrsa.inference.scores import score_network
from cortexrsa.inference.set_apart import set_apart
from cortexrsa.inference.settings import Settings
from cortexrsa.inference.smallest import SCORE
from cortexrsa.inference.stimuli_apart import stimuli_apart

HELD_OUT = "rsa, held-out categories"


def of_stimuli(rdms: RDMs, keep: np.ndarray) -> RDMs:
    """RDMs over some of the stimuli, keep (n,) bool."""
    return RDMs(
        select_stimuli(np.stack(list(rdms.dissimilarities)), keep),
        rdms.rdm_descriptors,
        rdms.pattern_descriptors[keep].reset_index(drop=True),
        rdms.dissimilarity_measure,
    )


def held_out_scores(
    networks: dict[str, RDMs],
    brain: RDMs,
    guidance: pd.DataFrame,
    stimuli: pd.DataFrame,
    comparison: str,
    settings: Settings,
) -> dict[str, xarray.Dataset]:
    """`scores.score_network` of networks, with those test stimuli alone whose category was held out.

    Layers are chosen on the training stimuli that are not `stimuli_apart`. Units of the design that are
    too few to say anything of others are taken as they are, as ever.

    Parameters
    ----------
    networks, brain : over the same stimuli
    guidance : with the columns `formats.columns.guidance.GUIDANCE`, of the guided network
    stimuli : rows of `stimuli.tsv`, in the order of the RDMs
    comparison : of RDMs

    Raises
    ------
    InputError : fewer such stimuli than a score needs, or fewer than four of a unit that is taken as it is.
    """
    held_out = dict(zip(guidance["stimulus_id"], guidance["category_held_out"], strict=True))
    tested = (stimuli["split"] == PRIMARY).to_numpy()
    chosen = stimuli["stimulus_id"].map(held_out).fillna(False).to_numpy(bool)
    found = (tested & chosen).sum()
    if found < SCORE.needed:
        raise InputError("held-out categories", f"{found} test stimuli", f"at least {SCORE.needed}")
    keep = ~tested | chosen
    # no test against zero is asked of them
    settings = replace(settings, permutations=1)
    left = stimuli[keep].reset_index(drop=True)
    design = design_of(left, settings.unit, settings.categories)
    apart = stimuli_apart(left, guidance, design)
    target = set_apart(of_stimuli(brain, keep), apart)
    return {
        name: score_network(
            set_apart(of_stimuli(own, keep), apart), target, comparison, settings, design=design
        )
        for name, own in networks.items()
    }
