"""Columns of the tables of the calibration study."""

from cortexrsa.formats.tables import Column, Table

STUDY = {
    "subjects": Column("integer", "size of each study", unit="subjects"),
    "stimuli": Column("integer", "size of each study", unit="stimuli"),
    "signal": Column("text", "strength of the signal; none: unrelated layers"),
}
INTERVALS = {
    "errors": Column("text", "one-pass, resampled or bootstrap (docs/statistics.md); empty for tests"),
    "coverage": Column("number", "share of 95 % intervals that cover the truth", unit="0 to 1"),
    "lowest": Column("number", "the same of the single statistic with the lowest", unit="0 to 1"),
    "highest": Column("number", "the same of the single statistic with the highest", unit="0 to 1"),
}
ERRORS = {
    "se_ratio": Column("number", "root mean variance over the true standard deviation, median"),
    "undefined": Column("number", "share of the studies without an interval", unit="0 to 1"),
}
STATISTIC = {"statistic": Column("text", "what has an interval, or which test")}
MC_ERROR = {"mc_error": Column("number", "Monte Carlo standard error of the share", unit="0 to 1")}
RATE = {
    "rate": Column("number", "share of the studies in which the test is significant at 5 %", unit="0 to 1")
}

COVERAGE = Table(
    {**STATISTIC, **INTERVALS, **MC_ERROR, **ERRORS, **STUDY},
    file="calibration/{subjects}-subjects-{stimuli}-stimuli-{signal}.csv",
    row="a statistic and a kind of standard error, over simulated studies",
)
FALSE_POSITIVES = Table(
    {**STATISTIC, **RATE, **MC_ERROR, **STUDY},
    file="calibration/{subjects}-subjects-{stimuli}-stimuli-none.csv",
    row="a test, over simulated studies without a signal",
)
COMPARED = Table(
    {
        **STATISTIC,
        "errors": Column("text", "one-pass, resampled or bootstrap (docs/statistics.md)"),
        "rate": Column(
            "number",
            "share of the studies with a wrong order, whose intervals hold the truth, or of differences told",
            unit="0 to 1",
        ),
        **MC_ERROR,
        "networks": Column("text", "which are equal in truth; or drawn at random in every study"),
        "subjects": STUDY["subjects"],
        "stimuli": STUDY["stimuli"],
    },
    file="calibration/comparisons-{subjects}-subjects-{stimuli}-stimuli.csv",
    row="an error rate or coverage of comparisons of networks, over simulated studies",
)
REGIONS = Table(
    {
        "truth": Column("text", "which layers two ROIs hold"),
        **STATISTIC,
        "voxels": Column("text", "as they are; added plainly (noise counts twice); a sample, as in a study"),
        "noise": Column("text", "how unequal noise is met: none, matched (as in a study), or crossnobis"),
        "rate": Column("number", "share of the studies in which the contrast is told from 0", unit="0 to 1"),
        **MC_ERROR,
        "stimuli": STUDY["stimuli"],
    },
    file="calibration/regions-{stimuli}-stimuli.csv",
    row="a contrast of two ROIs, over simulated studies",
)
ENCODED = Table(
    {
        "scheme": Column("text", "training split, or one split that is predicted in folds"),
        **STATISTIC,
        "coverage": INTERVALS["coverage"],
        **MC_ERROR,
        "se_ratio": ERRORS["se_ratio"],
        "bias": Column("number", "mean of the estimate less the truth", unit="r"),
        "stimuli": STUDY["stimuli"],
        "studies": Column("integer", "simulated studies"),
    },
    file="calibration/encoding-{stimuli}-stimuli.csv",
    row="a statistic of encoding models, over simulated studies",
)
BOUNDS = Table(
    {
        "data": Column("text", "what the noise ceiling is estimated from: repeats of one person, or people"),
        "statistic": Column("text", "what is averaged over the studies"),
        "bound": Column("text", "attainable, or what claims took shares of before; empty: of no bound"),
        "value": Column("number", "mean over the studies", unit="as score, or 0 to 1"),
        "mc_error": Column("number", "Monte Carlo standard error of the mean", unit="as value"),
        "stimuli": STUDY["stimuli"],
    },
    file="calibration/bounds-{stimuli}-stimuli.csv",
    row="a property of noise ceilings, over simulated studies",
)
LOW_LEVEL = Table(
    {
        "truth": Column("text", "what regions and trained networks share"),
        "claim": Column("text", "as it is, or without its tests against random weights"),
        "statistic": Column("text", "of a part of the claim, or overall"),
        "roi": Column("text", "of the part"),
        "rate": Column("number", "share of the worlds in which it is supported", unit="0 to 1"),
        **MC_ERROR,
        "stimuli": STUDY["stimuli"],
        "worlds": Column("integer", "simulated worlds"),
    },
    file="calibration/low-level-{stimuli}-stimuli.csv",
    row="a claim beyond low-level descriptors, or a part of it, over simulated worlds",
)
FOLDS = Table(
    {
        "folds": Column("text", "what crossnobis multiplies: repeats by their order, or runs"),
        "shared_runs": Column("integer", "runs that show both stimuli", unit="runs"),
        "distance": Column("number", "mean distance of stimuli that do not differ", unit="noise variance"),
        "mc_error": Column("number", "Monte Carlo standard error of the mean", unit="noise variance"),
    },
    file="calibration/folds.csv",
    row="pairs of stimuli that share so many runs, over simulated experiments without a signal",
)
DESIGNS = Table(
    {
        "design": Column(
            "text", "how stimuli come, and the share of their category in codes or the correlation of frames"
        ),
        **STATISTIC,
        "errors": Column(
            "text", "of single stimuli, units (blocks, also without near pairs: lag), or people"
        ),
        "rate": Column("number", "share of the intervals that cover, or of the tests at 5 %", unit="0 to 1"),
        **MC_ERROR,
    },
    file="calibration/designs.csv",
    row="coverage or an error rate in a design, over simulated studies",
)
CALIBRATION = Table(
    {**STATISTIC, **INTERVALS, **MC_ERROR, **ERRORS, **STUDY, **RATE},
    file="calibration/calibration.csv",
    row="a row of the tables of all sizes and signals; cells that do not apply are empty",
)
