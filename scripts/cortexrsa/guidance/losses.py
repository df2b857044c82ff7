"""How like the brain a layer is, as functions that pass a gradient: what guided training maximises.

All take the features of a layer (s, f) for the s stimuli of a batch, and what is known of the ROI for the
same stimuli: an RDM (s, s), a Gram matrix (s, s) or responses (s, v).
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch.nn import functional as F

from cortexrsa.geometry.registry import DISSIMILARITIES

SMALLEST = 1e-8


def pairs(square: torch.Tensor) -> torch.Tensor:
    """Upper triangle (s (s - 1) / 2,) of a matrix (s, s), without its diagonal."""
    rows, columns = torch.triu_indices(len(square), len(square), 1, device=square.device)
    return square[rows, columns]


def correlation_rdm(features: torch.Tensor) -> torch.Tensor:
    """1 - Pearson r of all pairs of patterns (s, f), condensed; 1 where a pattern is constant."""
    unit = F.normalize(features - features.mean(1, keepdim=True), dim=1, eps=SMALLEST)
    return 1 - pairs(unit @ unit.T)


def euclidean_rdm(features: torch.Tensor) -> torch.Tensor:
    """Squared Euclidean distance of all pairs of patterns (s, f), divided by f, condensed."""
    centred = features - features.mean(0)
    gram = centred @ centred.T / features.shape[1]
    squares = gram.diagonal()
    return pairs(squares[:, None] + squares[None, :] - 2 * gram)


# by what goes with a dissimilarity for layers
RDMS = {"correlation": correlation_rdm, "euclidean": euclidean_rdm}


def pearson(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Pearson r along the first dimension; 0 where either is constant."""
    x, y = x - x.mean(0), y - y.mean(0)
    return (F.normalize(x, dim=0, eps=SMALLEST) * F.normalize(y, dim=0, eps=SMALLEST)).sum(0)


def soft_ranks(x: torch.Tensor, temperature: float) -> torch.Tensor:
    """Ranks (p,) of values (p,) that pass a gradient: 1/2 + sum of sigmoid((x_i - x_j) / (temperature SD)).

    Towards a temperature of 0 they are the midranks. Each comparison with another value counts by a sigmoid
    of the difference (Qin, Liu & Li 2010, Inf Retr 13:375), in standard deviations of x, so that the ranks do
    not depend on its scale. The memory is that of p² numbers.
    """
    scaled = x / (temperature * x.std(correction=0).clamp_min(SMALLEST))
    return 0.5 + torch.sigmoid(scaled[:, None] - scaled[None, :]).sum(1)


def midranks(x: torch.Tensor) -> torch.Tensor:
    """Ranks (p,) from 1, ties as their mean; they pass no gradient."""
    _, inverse, counts = torch.unique(x, return_inverse=True, return_counts=True)
    ends = counts.cumsum(0)
    return (ends - (counts - 1) / 2)[inverse]


def unbiased_hsic(k: torch.Tensor, l: torch.Tensor) -> torch.Tensor:  # noqa: E741
    """Unbiased estimate of HSIC from two Gram matrices (s, s): Song et al. 2012, JMLR 13:1393, equation 5."""
    n = len(k)
    away = 1 - torch.eye(n, dtype=k.dtype, device=k.device)
    k, l = k * away, l * away  # noqa: E741
    rows_k, rows_l = k.sum(0), l.sum(0)
    whole = rows_k.sum() * rows_l.sum() / ((n - 1) * (n - 2))
    return ((k * l).sum() + whole - 2 / (n - 2) * (rows_k @ rows_l)) / (n * (n - 3))


def debiased_cka(features: torch.Tensor, gram: torch.Tensor) -> torch.Tensor:
    """Debiased linear CKA of features (s, f) with a Gram matrix (s, s): Murphy et al. 2024, arXiv:2405.01012.

    The biased estimate of Kornblith et al. (2019) is near 1 for any two representations of few stimuli.
    """
    centred = features - features.mean(0)
    own = centred @ centred.T
    own = own / own.diagonal().mean().clamp_min(SMALLEST)
    norm = unbiased_hsic(own, own) * unbiased_hsic(gram, gram)
    return unbiased_hsic(own, gram) / norm.clamp_min(SMALLEST**2).sqrt()


def ridge_prediction(
    train: torch.Tensor, responses: torch.Tensor, test: torch.Tensor, ridge: float
) -> torch.Tensor:
    """Responses (b, v) to stimuli with features `test` (b, f), by ridge regression on others.

    Parameters
    ----------
    train, responses : (a, f) and (a, v)
    ridge : regularisation, for a kernel of `train` whose mean diagonal is 1
    """
    mean, level = train.mean(0), responses.mean(0)
    x, z = train - mean, test - mean
    kernel = x @ x.T
    penalty = ridge * kernel.diagonal().mean().clamp_min(SMALLEST)
    solved = torch.linalg.solve(
        kernel + penalty * torch.eye(len(x), dtype=x.dtype, device=x.device), responses - level
    )
    return z @ (x.T @ solved) + level


def readout(features: torch.Tensor, responses: torch.Tensor, ridge: float) -> torch.Tensor:
    """Mean correlation over voxels of responses (s, v) with those predicted from features (s, f).

    Each half of the batch is predicted by a ridge regression on the other, in closed form, so that the
    read-out is refitted at every step and the gradient passes through the fit (Bertinetto et al. 2019, ICLR).
    """
    half = len(features) // 2
    first, second = slice(None, half), slice(half, None)
    found = [
        pearson(ridge_prediction(features[a], responses[a], features[b], ridge), responses[b]).mean()
        for a, b in ((first, second), (second, first))
    ]
    return sum(found) / 2


def similarity(
    loss: str, dissimilarity: str = "correlation", temperature: float = 0.1, ridge: float = 0.1
) -> Callable[[torch.Tensor, torch.Tensor], torch.Tensor]:
    """Function of features (s, f) and target: the similarity, up to 1, whose shortfall from 1 is the loss.

    Parameters
    ----------
    loss : one of `settings.TARGETS`
    dissimilarity : of the target; the layer's RDM has what goes with it (for crossnobis: euclidean)
    temperature : of `soft_ranks`; 0: exact ranks, which pass no gradient
    ridge : see `ridge_prediction`
    """
    if loss == "cka":
        return debiased_cka
    if loss == "readout":
        return lambda features, responses: readout(features, responses, ridge)
    rdm = RDMS[DISSIMILARITIES[dissimilarity].of_layers]
    if loss == "rdm_pearson":
        return lambda features, target: pearson(rdm(features), pairs(target))

    def spearman(features: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        own = rdm(features)
        ranks = soft_ranks(own, temperature) if temperature else midranks(own).to(own.dtype)
        return pearson(ranks, midranks(pairs(target)).to(own.dtype))

    return spearman
