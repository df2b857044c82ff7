"""Every unit of features, dissimilarity of patterns, comparison of RDMs and measure: what it is.

Code, schema, docs and tests go through these tables. A new one is a record here, and its kernel where it
needs one of its own.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Dissimilarity:
    """How far apart two patterns are.

    Attributes
    ----------
    meaning : in words
    needs : patterns (any), responses (of voxels, with noise to whiten by), or repeats (single trials)
    of_layers : the dissimilarity of network layers that goes with it; layers have neither noise nor repeats
    across_runs : it multiplies trials of different runs, so that noise adds nothing to it
    references : keys of `resources/report/references.bib`
    """

    meaning: str
    needs: str
    of_layers: str
    across_runs: bool = False
    references: tuple[str, ...] = ()

    @property
    def repeats(self) -> int:
        """Trials of a stimulus that an RDM takes."""
        return 2 if self.across_runs else 1

    @property
    def whitened(self) -> bool:
        """Whether patterns are multiplied by the inverse root of the noise covariance first."""
        return self.needs != "patterns"


DISSIMILARITIES = {
    "correlation": Dissimilarity("1 - Pearson r across features", "patterns", "correlation"),
    "cosine": Dissimilarity("1 - cosine of the angle", "patterns", "cosine"),
    "euclidean": Dissimilarity("squared distance / number of features", "patterns", "euclidean"),
    "mahalanobis": Dissimilarity(
        "squared distance of whitened averages", "responses", "euclidean", references=("walther2016",)
    ),
    "crossnobis": Dissimilarity(
        "product of whitened differences of two runs",
        "repeats",
        "euclidean",
        across_runs=True,
        references=("walther2016",),
    ),
}


# of a layer's features, whose RDMs differ: voxels come z-scored
UNITS = {
    "raw": "as the network gives them",
    "centred": "less their mean over the training stimuli",
    "z": "less their mean, divided by their standard deviation over the training stimuli",
}


@dataclass(frozen=True)
class Comparison:
    """How alike two RDMs are.

    Attributes
    ----------
    meaning : in words
    label : of an axis
    kernel : ranks, products or concordances: what is made of the RDMs on the sample and in every resample
    centred : products are of dissimilarities less their mean
    whitened : by the covariance of the errors of dissimilarities
    ties : whether it may be used where a model predicts equal dissimilarities
    expected_ties : of ranks: it is the expectation over random tie-breaking, as of ranks without ties
    references : keys of `resources/report/references.bib`
    """

    meaning: str
    label: str
    kernel: str
    centred: bool = False
    whitened: bool = False
    ties: bool = False
    expected_ties: bool = False
    references: tuple[str, ...] = ()


COMPARISONS = {
    "spearman": Comparison("Spearman's rank correlation", "Spearman's $\\rho$", "ranks"),
    "rho-a": Comparison(
        "Spearman's rank correlation, expected over random tie-breaking (Schütt et al. 2023)",
        "$\\rho_a$",
        "ranks",
        ties=True,
        expected_ties=True,
        references=("schutt2023",),
    ),
    "tau-a": Comparison("Kendall's rank correlation", "Kendall's $\\tau_a$", "concordances", ties=True),
    "pearson": Comparison("Pearson's correlation", "Pearson's $r$", "products", centred=True),
    "cosine": Comparison("cosine of the angle", "cosine", "products"),
    "corr_cov": Comparison(
        "Pearson's correlation, whitened (Diedrichsen et al. 2020)",
        "whitened correlation",
        "products",
        centred=True,
        whitened=True,
        references=("schutt2023", "diedrichsen2020"),
    ),
    "cosine_cov": Comparison(
        "cosine, whitened (Diedrichsen et al. 2020)",
        "whitened cosine",
        "products",
        whitened=True,
        references=("schutt2023", "diedrichsen2020"),
    ),
}


def partial_comparison(comparison: str) -> str:
    """The comparison that is made partial: one whose similarities are inner products.

    rho-a and tau-a are none of unit length, and give way to Spearman's, which has midranks for ties.
    """
    return comparison if COMPARISONS[comparison].kernel == "products" else "spearman"


@dataclass(frozen=True)
class Measure:
    """How alike a layer and a region are, beside the comparison of their RDMs that a study is about.

    Attributes
    ----------
    meaning : in words
    label : of an axis
    scale : of its values, in words
    errors : how its sampling variance over stimuli is made
    grams : whether it compares Gram matrices (of patterns as they are), not RDMs by the study's dissimilarity
    responses : whether it compares features with voxels one by one, not RDMs; made by a job of its own
    """

    meaning: str
    label: str
    scale: str
    errors: str
    grams: bool = False
    responses: bool = False


_ONE_PASS = "one pass: influence of stimuli and pairs"
_INFLUENCE = "one pass: influence of stimuli"

MEASURES = {
    "partial_rsa": Measure(
        "RSA beyond the confound RDMs",
        "partial RSA",
        "partial correlation, -1 to 1",
        "one pass: delta method over the pairwise correlations",
    ),
    **{
        name: Measure(record.meaning, f"RSA, {record.label}", "correlation of RDMs, -1 to 1", _ONE_PASS)
        for name, record in COMPARISONS.items()
    },
    "cka": Measure(
        "linear CKA",
        "CKA",
        "0 to 1; above 0 by chance, the more the fewer stimuli and the more features",
        _INFLUENCE,
        grams=True,
    ),
    "cka_debiased": Measure(
        "linear CKA with unbiased HSIC", "debiased CKA", "about 0 by chance, up to 1", _ONE_PASS, grams=True
    ),
    "nbs": Measure(
        "normalised Bures similarity", "Bures similarity", "0 to 1; above 0 by chance", _INFLUENCE, grams=True
    ),
    "procrustes": Measure(
        "Procrustes angle (angular Procrustes)",
        "1 - Procrustes angle / 90°",
        "0 to 1; above 0 by chance",
        _INFLUENCE,
        grams=True,
    ),
    "spectral": Measure(
        "R2 of linear readouts, predicted from the spectrum",
        "predicted R2 of readouts",
        "up to 1; 0 where nothing can be read out",
        "one pass: jackknife over groups of stimuli",
        grams=True,
    ),
    "soft_matching": Measure(
        "soft matching of at most 2,000 features of a layer with voxels",
        "soft matching",
        "mean correlation of matched features and voxels, -1 to 1; 0 by chance",
        "one pass: influence of stimuli, conditional on the matching (made on other stimuli)",
        responses=True,
    ),
}
