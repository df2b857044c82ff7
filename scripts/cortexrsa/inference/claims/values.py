"""Values of a claim's statistics, with their errors, from the scores of a study."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from cortexrsa.inference import profiles
from cortexrsa.inference.centroids import Centroid, CentroidContrast
from cortexrsa.inference.claims.study import Study
from cortexrsa.inference.claims.terms import Reading, compares_rois
from cortexrsa.inference.errors import UNDEFINED, Estimate, Replicated
from cortexrsa.inference.lineages import family_contrast, lineage_weights
from cortexrsa.inference.names import PRIMARY
from cortexrsa.inference.profile_errors import largest_difference, profile_correlations
from cortexrsa.inference.seeds import of_a_new_seed
from cortexrsa.inference.study import ModelScores, heldout_scores, profile_scores
from cortexrsa.inference.tails import student_tail

Terms = list[tuple[float, Reading]]
SHAPES = {"slope": profiles.slope, "curvature": profiles.curvature}
FEWEST = {"slope": 3, "curvature": 3, "centroid": 2}
# by the layer rule of a claim, the held-out candidate of the scores
CANDIDATES = {"best": "all", "weighted": "fitted"}


class NoValue(ValueError):
    """A statistic that cannot be evaluated; its text is the reason."""


@dataclass
class Value:
    """A statistic with its errors.

    Attributes
    ----------
    value : on the sample
    limits : function of the confidence: low, high
    p_value : function of a null value: two-sided p
    equivalence_p : function of a bound: p of |value| >= bound, the larger of two one-sided tests
    beyond_p : function of a bound: one-sided p of |value| <= bound
    note : what else the reason says
    """

    value: float
    limits: Callable[[float], tuple[float, float]]
    p_value: Callable[[float], float]
    equivalence_p: Callable[[float], float]
    beyond_p: Callable[[float], float]
    note: str = ""


def of_estimate(found: Estimate, note: str = "") -> Value:
    """The value of a scalar with a sampling variance.

    Raises
    ------
    NoValue : it has none.
    """
    if not np.isfinite(found.variance):
        raise NoValue(f"the statistic is undefined in over {UNDEFINED:.0%} of the replicates")
    error = np.sqrt(found.variance)

    def beyond(bound: float) -> float:
        with np.errstate(divide="ignore", invalid="ignore"):
            return float(student_tail((np.abs(found.value) - bound) / error, found.dof))

    return Value(
        float(found.value),
        lambda confidence: tuple(float(limit) for limit in found.interval(confidence)[1:]),
        lambda null=0.0: float(found.p_value(null)),
        lambda bound: float(found.equivalence_p(bound)),
        beyond,
        note,
    )


def of_limits(value: float, limits: Callable[[float], tuple[float, float]]) -> Value:
    """The value of a statistic with intervals alone: a p is the smallest level at which they exclude."""

    def smallest(excluded_at: Callable[[float, float], bool]) -> float:
        excluded, included = 0.0, 1.0  # confidence
        for _ in range(40):
            confidence = (excluded + included) / 2
            if excluded_at(*limits(confidence)):
                excluded = confidence
            else:
                included = confidence
        return 1 - excluded

    return Value(
        value,
        limits,
        lambda null=0.0: smallest(lambda low, high: low > null or high < null),
        lambda bound: smallest(lambda low, high: -bound < low and high < bound) / 2,
        lambda bound: smallest(lambda low, high: low > bound or high < -bound) / 2,
    )


# ---- where the scores are --------------------------------------------------------------------------------


def _model(study: Study, reading: Reading, network: str) -> ModelScores:
    found = study.scores_of(reading.measure, reading.split)[network]
    if not reading.new_seed:
        return found
    if len(study.seeds.get(network, [])) < 2:
        raise NoValue(f"{network} has one random seed, which does not tell how much others differ")
    heldout = found.heldout and of_a_new_seed(found.heldout)
    return replace(found, scores=of_a_new_seed(found.scores), heldout=heldout)


def _profile(study: Study, reading: Reading, network: str, roi: str) -> Replicated:
    return profile_scores(_model(study, reading, network), study.rois.index(roi))


def _score(study: Study, reading: Reading) -> Replicated:
    """A single score: of a layer by name, or held out."""
    model, (roi,) = _model(study, reading, reading.network), reading.rois
    if isinstance(reading.layer, tuple):
        name = reading.layer[1]
        if name not in model.layers:
            raise NoValue(f"{reading.network} has no layer {name}")
        index = model.layers.index(name)
        return _profile(study, reading, reading.network, roi).apply(lambda scores: scores[..., index])
    candidate = CANDIDATES.get(reading.layer, reading.layer)
    if model.heldout is None or candidate not in model.candidates:
        if reading.layer == "weighted":
            raise NoValue("no weighted layers (inference.fitted)")
        raise NoValue(f"no held-out layers of {reading.measure} in the {reading.split} split")
    found = heldout_scores(model, study.rois.index(roi), candidate)
    if np.isnan(found.estimate):
        if candidate == "middle":
            raise NoValue("the network has no layer in the middle third of its depth")
        raise NoValue(f"{reading.network} has no {reading.layer} layer")
    return found


# ---- values ----------------------------------------------------------------------------------------------


def value_of(study: Study, terms: Terms, bound: float | None = None) -> Value:
    """Value of a weighted sum of readings of one kind; where it compares ROIs, their voxels are a sample too.

    Parameters
    ----------
    terms : see `terms.terms`
    bound : of equivalence, which the largest difference needs

    Raises
    ------
    NoValue : it cannot be evaluated.
    """
    own = {(reading.measure, reading.split) for _, reading in terms} == {("rsa", PRIMARY)}
    if not own or not compares_rois(terms):
        return _value(study, terms, bound)
    found = _value(study.over_voxels or study, terms, bound)
    people = any(_model(study, reading, reading.network).scores.subjects > 1 for _, reading in terms)
    over = "stimuli and people, each with voxels of their own" if people else "stimuli, not over voxels"
    if study.over_voxels:
        over = ", ".join(filter(None, ["stimuli and voxels", study.over_voxels.noise]))
    return replace(found, note=f"{found.note}; over {over}")


def _value(study: Study, terms: Terms, bound: float | None) -> Value:
    kind = terms[0][1].kind
    for _, reading in terms:
        for network in filter(None, (reading.network, reading.other)):
            if len(_model(study, reading, network).depth) < FEWEST.get(kind, 1):
                raise NoValue(f"needs at least {FEWEST[kind]} layers")
    if kind in ("score", *SHAPES):
        if any(reading.family for _, reading in terms):
            return of_estimate(_of_families(study, terms))
        return of_estimate(_linear(study, terms).evaluated())
    if any(reading.family for _, reading in terms):
        raise NoValue("a claim about the mean of a family is one of scores, slopes or curvatures")
    if kind == "centroid":
        return _centroids(study, terms)
    if kind == "correlation":
        return _correlations(study, terms)
    if kind == "squared distance":
        return _distances(study, terms)
    return _largest(study, terms, bound)


def _linear(study: Study, terms: Terms) -> Replicated:
    """A weighted sum of scores, slopes and curvatures."""
    parts = []
    for _, reading in terms:
        if reading.kind == "score":
            parts.append(_score(study, reading))
            continue
        depth = _model(study, reading, reading.network).depth
        shape = SHAPES[reading.kind]
        parts.append(
            _profile(study, reading, reading.network, reading.rois[0]).apply(
                lambda scores, depth=depth, shape=shape: shape(scores, depth)
            )
        )
    weights = [weight for weight, _ in terms]
    return parts[0].apply(
        lambda *values: sum(weight * value for weight, value in zip(weights, values, strict=True)), *parts[1:]
    )


def _of_families(study: Study, terms: Terms) -> Estimate:
    """A weighted sum of which some networks stand for their families, and might have been others."""
    signs = {}
    for weight, reading in terms:
        signs.setdefault(reading.family, np.sign(weight))
    columns, weights, lineages = [], [], []
    for family, sign in signs.items():
        own = [(weight, reading) for weight, reading in terms if reading.family == family]
        if not family:
            columns.append(_linear(study, own))
            weights.append(1.0)
            lineages.append(None)
            continue
        names = list(dict.fromkeys(reading.network for _, reading in own))
        of_each = [study.cast.lineages.get(name, name) for name in names]
        for name, share in zip(names, lineage_weights(of_each), strict=True):
            # what the claim says of one member, in the place of its share of a plain mean
            member = [(sign * len(names) * weight, one) for weight, one in own if one.network == name]
            columns.append(_linear(study, member))
            weights.append(sign * share)
        lineages += of_each
    stacked = columns[0].apply(lambda *values: np.stack(values, axis=-1), *columns[1:])
    found, reason = family_contrast(stacked, np.array(weights), lineages)
    if reason:
        raise NoValue(reason)
    return found


def _centroids(study: Study, terms: Terms) -> Value:
    """A weighted sum of depth centroids, from one joint draw of the scores of its networks."""
    first = terms[0][1]
    names = list(dict.fromkeys(reading.network for _, reading in terms))
    models = {name: _model(study, first, name) for name in names}
    shapes = {name: model.scores.estimate.shape for name, model in models.items()}
    ends = np.cumsum([np.prod(shape) for shape in shapes.values()])
    starts = dict(zip(names, [0, *ends], strict=False))
    flat = [
        model.scores.apply(lambda values: values.reshape(*values.shape[:-2], -1)) for model in models.values()
    ]
    drawn = flat[0].apply(lambda *values: np.concatenate(values, axis=-1), *flat[1:]).drawn(study.seed)
    centroids = []
    for _, reading in terms:
        layers = shapes[reading.network][-1]
        start = starts[reading.network] + layers * study.rois.index(reading.rois[0])
        scores = drawn.apply(lambda values, at=slice(start, start + layers): values[..., at])
        centroids.append(Centroid(scores, models[reading.network].depth))
    found = CentroidContrast(centroids, [weight for weight, _ in terms])
    if not np.isfinite(found.interval(0.5)).all():
        raise NoValue("no layer scores above 0, or a layer has no score")
    return of_limits(found.estimate, found.interval)


def _seeds(study: Study, weight: float, reading: Reading) -> list[ModelScores]:
    """The network of a reading; a control is averaged over its seeds, each with a profile of its own."""
    own = [_model(study, reading, reading.network)]
    if weight < 0 and study.scores_of(reading.measure, reading.split) is study.models:
        return study.seeds.get(reading.network, own)
    return own


def _correlations(study: Study, terms: Terms) -> Value:
    """Profile correlations with one network, over joined ROIs."""
    first = terms[0][1]
    rois = [study.rois.index(roi) for roi in first.rois]
    networks, weights = [_model(study, first, first.other)], []
    for weight, reading in terms:
        own = _seeds(study, weight, reading)
        networks += own
        weights += [weight / len(own)] * len(own)
    found, draws, dof = profile_correlations(networks, rois, study.seed)
    weights = np.array(weights)
    if not np.isfinite(found).all():
        raise NoValue("a profile varies over the layers no more than its sampling error")
    note = ""
    if (weights < 0).any():
        positive, negative = weights > 0, weights < 0
        trained, control = (found[part] @ weights[part] for part in (positive, negative))
        note = f"; {trained:.2f} against {-control:.2f}"
        note += f" (mean of {negative.sum()})" if negative.sum() > 1 else ""
    return of_estimate(Estimate(found @ weights, np.var(draws @ weights), dof), note)


def _distances(study: Study, terms: Terms) -> Value:
    """A weighted sum of squared distances of profiles (mean over depths and ROIs), less what errors add.

    With all profiles in one vector x, normal with covariance S, the sum is the quadratic form x'Qx, whose
    expectation the errors raise by tr(QS). Its variance, 4 m'QSQm + 2 tr(QSQS) with the true profiles m, is
    estimated without bias by 4 x'QSQx - 2 tr(QSQS), and is no less than 2 tr(QSQS).
    """
    places, pairs = {}, []
    for weight, reading in terms:
        other = reading.other, 0, reading.other_rois
        model = _model(study, reading, reading.other)
        places.setdefault(other, _on_grid(study, reading, model, reading.other_rois, terms))
        seeds = _seeds(study, weight, reading)
        for k, model in enumerate(seeds):
            # the mean of several seeds is a network of its own
            own = reading.network, k + 1 if len(seeds) > 1 else 0, reading.rois
            places.setdefault(own, _on_grid(study, reading, model, reading.rois, terms))
            pairs.append((weight / len(seeds), own, other))
    first, *others = places.values()
    together = first.apply(lambda *values: np.concatenate(values, axis=-1), *others)
    sizes = [each.estimate.size for each in places.values()]
    rows = dict(zip(places, np.split(np.eye(sum(sizes)), np.cumsum(sizes)[:-1]), strict=True))
    form = 0.0
    for weight, own, other in pairs:
        difference = rows[own] - rows[other]
        form = form + weight / len(difference) * difference.T @ difference
    found, x = together.evaluated(), together.estimate
    if not np.isfinite(found.variance).all():
        raise NoValue("a layer of one of the networks has no score")
    spread = form @ together.covariance()
    noise = np.trace(spread @ spread)
    variance = max(4 * x @ spread @ form @ x - 2 * noise, 2 * noise)
    dof = np.average(found.dof, weights=np.maximum(found.variance, np.finfo(float).tiny))
    return of_estimate(Estimate(x @ form @ x - np.trace(spread), np.asarray(variance), np.asarray(dof)))


def _largest(study: Study, terms: Terms, bound: float) -> Value:
    """Largest difference of two profiles."""
    ((_, reading),) = terms
    first, second = (
        _on_grid(study, reading, _model(study, reading, network), rois, terms)
        for network, rois in ((reading.network, reading.rois), (reading.other, reading.other_rois))
    )

    def at(confidence: float):
        return largest_difference(first, second, bound, confidence, study.seed)

    found = at(study.confidence)
    if found is None:
        raise NoValue("a layer of one of the networks has no score")

    def limits(confidence: float) -> tuple[float, float]:
        of = found if confidence == study.confidence else at(confidence)
        return of.low, of.high

    note = f"; the profiles correlate {np.corrcoef(first.estimate, second.estimate)[0, 1]:.2f}"
    return Value(
        found.value, limits, lambda null=0.0: np.nan, lambda _: found.p, lambda _: found.p_larger, note
    )


def _on_grid(
    study: Study, reading: Reading, model: ModelScores, rois: tuple[str, ...], terms: Terms
) -> Replicated:
    """Profiles of a network at common depths, of several ROIs joined: (rois x depths,)."""
    indices, depth = [study.rois.index(roi) for roi in rois], model.depth
    if reading.depth == "stage":
        _check_stages(study, reading, terms)
        depth, _ = profiles.stage_depth(model.shapes)

    def joined(scores: np.ndarray) -> np.ndarray:
        found = profiles.on_grid(scores[..., indices, :], depth)
        if reading.centred:
            return profiles.centred_profiles(found)
        return found.reshape(*found.shape[:-2], -1)

    return model.scores.apply(joined)


def _check_stages(study: Study, reading: Reading, terms: Terms) -> None:
    """All networks of a statistic must have as many stages each."""
    names = dict.fromkeys(name for _, each in terms for name in (each.network, each.other))
    shapes = {name: _model(study, reading, name).shapes for name in names}
    if not all(own and all(own) for own in shapes.values()):
        raise NoValue("the shapes of the layers, which tell stages apart, are not known")
    numbers = {name: profiles.stage_depth(own)[1] for name, own in shapes.items()}
    if len(set(numbers.values())) > 1:
        said = ", ".join(f"{name} {stages}" for name, stages in numbers.items())
        raise NoValue(f"the networks have other numbers of stages: {said}")
