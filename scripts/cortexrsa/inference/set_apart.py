"""RDMs of a guided network without part in any choice for the stimuli that it was fitted to."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd

from cortexrsa.formats.rdms import RDMs
from cortexrsa.inference.guidance import fitted_to
from cortexrsa.inference.names import GUIDANCE_SPLIT


def set_apart(rdms: RDMs, guidance: pd.DataFrame | None) -> RDMs:
    """RDMs in which the stimuli of `guidance.fitted_to` are in no split that anything is chosen or scored on.

    All as they are with None for `guidance`: of a network that was not trained with the brain.
    """
    if guidance is None:
        return rdms
    patterns = rdms.pattern_descriptors
    split = patterns["split"].mask(fitted_to(patterns, guidance), GUIDANCE_SPLIT)
    return replace(rdms, pattern_descriptors=patterns.assign(split=split))
