"""The workflow on averages over 2 and 13 repeats, as published by Kay et al. (2008), at a size for tests."""

from __future__ import annotations

import functools

import numpy as np
import pandas as pd
import pytest
import yaml
from test_bad_input import leftovers

from support import assert_figure, at, killed_twice, made, place, refused

TRAIN, TEST, SIZE, VOXELS = 40, 24, 32, 30
CODES = {"V1": 1, "LatOcc": 7}


def small_package(path):
    """Images in an aperture, and responses that follow their pixels (V1) or blocks of them (LatOcc)."""
    generator = np.random.default_rng(0)
    axis = np.arange(SIZE) - (SIZE - 1) / 2
    outside = np.hypot(*np.meshgrid(axis, axis)) > SIZE / 2
    n = TRAIN + TEST
    coarse = generator.uniform(-0.4, 0.4, (n, 4, 4))
    images = np.kron(coarse, np.ones((8, 8))) + generator.uniform(-0.1, 0.1, (n, SIZE, SIZE))
    images[:, outside] = 0
    images = images.astype(np.float32)
    repeats = np.repeat([2, 13], [TRAIN, TEST])[:, None]
    responses = []
    for source in (images.reshape(n, -1), coarse.reshape(n, -1)):
        signal = source @ generator.normal(size=(source.shape[1], VOXELS))
        signal /= signal.std()
        responses.append(signal + np.sqrt(4 / repeats) * generator.normal(size=signal.shape))
    responses = np.concatenate(responses, axis=1)
    names = ["Other", "V1", "V2", "V3", "V3A", "V3B", "V4", "LatOcc"]
    np.savez(
        path,
        stimuli=images[:TRAIN],
        stimuli_test=images[TRAIN:],
        responses=responses[:TRAIN],
        responses_test=responses[TRAIN:],
        roi=np.repeat(list(CODES.values()), VOXELS),
        roi_names=np.array(names),
    )


@pytest.fixture
def kay(project):
    small_package(project / "kay_images.npz")
    options = {"package": "kay_images.npz", "train": TRAIN, "test": TEST, "size": SIZE}
    card = {
        "description": "small",
        "citation": "none",
        "licence": "none",
        "loader": "kay2008",
        "rois": {roi: {"code": code, "voxels": VOXELS} for roi, code in CODES.items()},
        "options": options | {"train_repeats": 2, "test_repeats": 13},
        "files": [{"file": "kay_images.npz", "url": (project / "kay_images.npz").as_uri(), "sha256": None}],
    }
    (project / "resources/datasets/small.yaml").write_text(yaml.safe_dump(card))
    study = {
        "datasets": ["small"],
        "models": ["tiny_untrained", "gabor", "pixels"],
        "inference": {"bootstrap": 40, "permutations": 99, "ceiling_splits": 4, "halves": 2},
        "keep_activations": False,
        "roles": {"rois": {"early": "V1", "late": "LatOcc"}, "networks": {"untrained": "tiny_untrained"}},
    }
    roles = ("task_optimised", "generative", "self_supervised")
    study["roles"]["networks"] |= dict(zip(roles, ([], None, None), strict=True))
    (project / "study.yaml").write_text(yaml.safe_dump(study))
    return project


def test_averages_go_through_the_whole_workflow(kay):
    # the reading stages killed, with Snakemake and alone
    target = place(kay, "small/responses.nc", "study.yaml")
    stages = ("fetch", "read_kay")
    deaths = killed_twice(kay, "--configfile", "study.yaml", "--", target, together=stages)
    assert deaths == {f"{stage}.{k}" for stage in stages for k in (1, 2)}
    made(kay, "--configfile", "study.yaml")
    results = functools.partial(at, kay, configfile="study.yaml")
    scores = pd.read_csv(results("small/scores.csv"))
    # the test images are tested, the training images stand beside them
    assert set(scores["split"]) == {"train", "test"}
    assert scores.loc[scores["split"] == "test", "p"].notna().all()
    assert scores.loc[scores["split"] == "train", "p"].isna().all()
    assert scores.groupby("split")["n_stimuli"].first().to_dict() == {"test": TEST, "train": TRAIN}
    pixels = scores[(scores["model"] == "pixels") & (scores["split"] == "test")].set_index("roi")["score"]
    assert pixels["V1"] > 0.3
    ceilings = pd.read_csv(results("small/ceilings.csv"))
    assert set(ceilings["kind"]) == {"moments", "voxel-halves"}
    assert ceilings[["reliability", "attainable"]].notna().all(axis=None)
    reliability = pd.read_csv(results("small/reliability.csv"))
    assert reliability.groupby("split")["reliability"].median()["test"] > 0.5
    figures = results("small/figures")
    assert_figure(figures, "inputs", "Pixels")
    assert_figure(figures, "reliability", "test stimuli, 13 repeats", "train stimuli, 2 repeats")
    assert_figure(figures, "rois", "V1", "LatOcc", "ResNet, untrained", "Pixels", "noise ceiling")
    assert (results("small/report.html")).exists()
    # recorded at the first download
    assert "small/kay_images.npz" in (kay / "results/downloads/checksums.lock").read_text()
    # temporary activations are gone
    assert not list(kay.glob("results/small/activations/*/*/*/*.npy"))


def test_swapped_splits_leave_nothing_behind(kay):
    content = dict(np.load(kay / "kay_images.npz"))
    for key in ("stimuli", "responses"):
        content[key], content[f"{key}_test"] = content[f"{key}_test"], content[key]
    np.savez(kay / "kay_images.npz", **content)
    line = refused(kay, "results/small/stimuli.npy", "--configfile", "study.yaml")
    assert "kay_images.npz: stimuli: found shape" in line
    assert "are the splits swapped?" in line
    assert [path for path in leftovers(kay) if "downloads" not in path.parts] == []
