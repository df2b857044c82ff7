"""What a study sets about the betas of raw BOLD."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class GLMSettings:
    """The section `glm` of the configuration, as far as the betas themselves are concerned.

    Attributes
    ----------
    betas : trial-lss or trial-lsa, one a presentation by least squares separate or all; stimulus, one a
        stimulus of a run
    hrf : nilearn's spm or glover, also with "+ derivative" or "+ derivative + dispersion"
    drift : cosine, polynomial or none
    high_pass : Hz, of the cosine drifts
    drift_order : of the polynomial drifts
    noise : ar1 or ols
    slice_time_ref : part of a TR, in [0, 1], that the volumes' times lie after their starts; None for what
        the sidecars say
    smoothing : FWHM in mm of the Gaussian with which volumes are smoothed; None for none
    """

    betas: str = "trial-lss"
    hrf: str = "spm"
    drift: str = "cosine"
    high_pass: float = 0.01
    drift_order: int = 1
    noise: str = "ar1"
    slice_time_ref: float | None = None
    smoothing: float | None = None
