"""Bootstrap and permutation, against rsatoolbox."""

import atexit
import shutil
import sys
import tempfile
from pathlib import Path

import numpy as np
import rsatoolbox
from bench_geometry import PEER, THREADS, related_rdms
from harness import Case

from cortexrsa.formats.rdms import read_rdms
from cortexrsa.geometry.rdm import Rows
from cortexrsa.inference.draws import draw_counts
from cortexrsa.inference.permutation import permutation_null
from cortexrsa.inference.replication import OnePass
from cortexrsa.inference.similarity import resampled_similarity

sys.path.append(str(Path(__file__).resolve().parents[1] / "scale"))
from one_pass import make  # noqa: E402

ROIS, LAYERS = 7, 20


def rdms(n: int, draws: int):
    def make() -> dict:
        brain, layers = related_rdms(n, ROIS, LAYERS)
        return {"brain": brain, "layers": layers, "counts": draw_counts(n, draws, 0)}

    return make


def rsatoolbox_bootstrap(method: str, resamples: int, rois: int):
    """rsatoolbox takes all layers at once, and the ROIs one by one."""

    def run(brain, layers, counts):
        models = [
            rsatoolbox.model.ModelFixed(f"layer {k}", rsatoolbox.rdm.RDMs(layer[None]))
            for k, layer in enumerate(layers)
        ]
        for roi in brain[:rois]:
            rsatoolbox.inference.eval_bootstrap_pattern(
                models, rsatoolbox.rdm.RDMs(roi[None]), method=method, N=resamples, boot_noise_ceil=False
            )

    return run


def bootstrap(
    name: str, comparison: str, method: str, n: int, draws: int, resamples: int, rois: int, goal: float
):
    """Seconds are of one resample of all layers x ROIs; the peer's from few resamples, and of some ROIs."""
    extrapolated = f"{PEER}; from {resamples} resamples" + (
        f" of {rois} of {ROIS} ROIs" if rois < ROIS else ""
    )
    return Case(
        name=name,
        size=f"one of {draws} resamples, {LAYERS} layers x {ROIS} ROIs, {n} stimuli",
        peer=extrapolated,
        inputs=rdms(n, draws),
        ours=lambda brain, layers, counts: resampled_similarity(brain, layers, counts, comparison, THREADS),
        theirs=rsatoolbox_bootstrap(method, resamples, rois),
        ours_units=draws,
        peer_units=resamples * rois / ROIS,
        repeats=3,
        goal=goal,
    )


def permuted(permutations: int):
    def run(brain, layers, counts):
        return permutation_null(brain, layers, permutations, 0, threads=THREADS)

    return run


def rsatoolbox_permutations(permutations: int):
    """rsatoolbox has no permutation test: its comparison of relabelled RDMs, which is what one costs."""

    def run(brain, layers, counts):
        generator = np.random.default_rng(0)
        first = rsatoolbox.rdm.RDMs(brain)
        second = rsatoolbox.rdm.RDMs(layers)
        for _ in range(permutations):
            shuffled = first.copy()
            shuffled.reorder(generator.permutation(first.n_cond))
            rsatoolbox.rdm.compare(shuffled, second, method="spearman")

    return run


def one_pass(n: int, resamples: int, rois: int, goal: float):
    """Scores with their errors, against the 1,000 resamples that the peer takes for them."""
    scaled = f"{PEER}, 1,000 resamples; from {resamples}" + (
        f" of {rois} of {ROIS} ROIs" if rois < ROIS else ""
    )

    def ours(brain, layers, counts):
        return OnePass(n, 0).similarity(brain, layers, "spearman", THREADS)

    return Case(
        name=f"scores with errors in one pass, {n:,} stimuli",
        size=f"{LAYERS} layers x {ROIS} ROIs, {n} stimuli",
        peer=scaled,
        inputs=rdms(n, 1),
        ours=ours,
        theirs=rsatoolbox_bootstrap("spearman", resamples, rois),
        peer_units=resamples * rois / ROIS / 1000,
        # every dissimilarity is read once
        limit=lambda brain, layers, counts: (brain.sum(), layers.sum()),
        repeats=3,
        goal=goal,
    )


def files_of(n: int, layers: int, rois: int):
    """RDMs in files, of which those of many stimuli do not fit into memory together."""

    def inputs() -> dict:
        folder = Path(tempfile.mkdtemp())
        atexit.register(shutil.rmtree, folder)
        for name, count in (("brain", rois), ("layers", layers)):
            make(folder / f"{name}.h5", n, count, len(name))
        opened = (read_rdms(folder / f"{name}.h5", in_memory=False) for name in ("brain", "layers"))
        return dict(
            zip(
                ("brain", "layers"),
                (Rows(rdms.dissimilarities, np.ones(n, bool)) for rdms in opened),
                strict=True,
            )
        )

    return inputs


def one_pass_from_files(n: int, layers: int, rois: int):
    """The same, with RDMs read from files when their turn comes; peer: two resamples of one layer and ROI.

    Of one resample alone rsatoolbox makes no table of evaluations, and ends in an error.
    """

    def theirs(brain, layers):
        model = rsatoolbox.model.ModelFixed("layer", rsatoolbox.rdm.RDMs(layers[0][None]))
        rsatoolbox.inference.eval_bootstrap_pattern(
            [model], rsatoolbox.rdm.RDMs(brain[0][None]), method="spearman", N=2, boot_noise_ceil=False
        )

    return Case(
        name=f"scores with errors in one pass, {n:,} stimuli",
        size=f"{layers} layers x {rois} ROIs, {n} stimuli, from files",
        peer=f"{PEER}, 1,000 resamples; from 2 of 1 layer and 1 ROI",
        inputs=files_of(n, layers, rois),
        ours=lambda brain, layers: OnePass(n, 0).similarity(brain, layers, "spearman", THREADS),
        theirs=theirs,
        peer_units=2 / layers / rois / 1000,
        limit=lambda brain, layers: [rdm.sum() for rdms in (brain, layers) for rdm in rdms],
        repeats=1,
    )


CASES = [
    one_pass(120, 20, ROIS, 10_000),
    one_pass(1750, 2, 1, 20_000),
    one_pass_from_files(10_000, 18, 10),
    bootstrap("bootstrap, 120 stimuli", "spearman", "spearman", 120, 1000, 20, ROIS, 1000),
    bootstrap("bootstrap, 1,750 stimuli", "spearman", "spearman", 1750, 48, 2, 1, 700),
    bootstrap("Pearson bootstrap, 1,750 stimuli", "pearson", "corr", 1750, 256, 2, 1, 500),
    Case(
        name="permutations, 120 stimuli",
        size=f"one of 10000 permutations, {LAYERS} layers x {ROIS} ROIs",
        peer=f"{PEER} (comparison of relabelled RDMs); from 20 permutations",
        inputs=rdms(120, 1),
        ours=permuted(10_000),
        theirs=rsatoolbox_permutations(20),
        ours_units=10_000,
        peer_units=20,
        repeats=3,
    ),
]
