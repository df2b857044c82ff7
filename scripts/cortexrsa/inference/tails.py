"""Tails and quantiles of Student's t, from scipy.special: importing scipy.stats takes a second."""

from __future__ import annotations

from scipy import special


def student_tail(t, dof):
    """P(T > t) of Student's t with `dof` degrees of freedom (infinite: the normal), as scipy.stats.t.sf."""
    return special.stdtr(dof, -t)


def student_quantile(p, dof):
    """The t below which a share p of the distribution lies, as scipy.stats.t.ppf."""
    return special.stdtrit(dof, p)
