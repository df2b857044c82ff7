"""RDMs of a guided network in which some training stimuli have no part in any choice."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from cortexrsa.formats.rdms import RDMs
from cortexrsa.inference.names import GUIDANCE_SPLIT


def set_apart(rdms: RDMs, apart: np.ndarray | None) -> RDMs:
    """RDMs in which some stimuli are in no split that anything is chosen or scored on.

    Parameters
    ----------
    rdms : over n stimuli
    apart : (n,) bool, of `stimuli_apart`; None: of a network that was not trained with the brain
    """
    if apart is None:
        return rdms
    patterns = rdms.pattern_descriptors
    return replace(
        rdms, pattern_descriptors=patterns.assign(split=patterns["split"].mask(apart, GUIDANCE_SPLIT))
    )
