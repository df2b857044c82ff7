"""A study of generated cards, as many as asked for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import yaml

# of a ResNet-18; the tests ask for few or many of them
LAYERS = [
    *("relu", "maxpool", "layer1.0", "layer1.1", "layer2.0", "layer2.1"),
    *("layer3.0", "layer3.1", "layer4.0", "layer4.1", "avgpool"),
]


def model_card(number: int, layers: int) -> dict:
    """A tiny untrained network, unlike all others."""
    options = {"width": 4, "stem": "small", "classes": 12}
    return {
        "label": f"Network {number}",
        "description": "Generated",
        "family": "untrained",
        "network": {"source": "resnet", "name": "resnet18", "options": options},
        "weights": {"random": {"seed": number}},
        "preprocessing": {"size": 32},
        "layers": LAYERS[:layers],
    }


def dataset_card(number: int, rois: int, train: int, test: int, shards: int = 1) -> dict:
    """A small simulated experiment, unlike all others."""
    areas = ("v1", "lo")
    return {
        "description": "Generated",
        "citation": "none",
        "licence": "none",
        "loader": "simulated",
        "rois": {f"R{k}": {"voxels": 30, "area": areas[k % 2], "reliability": 0.8} for k in range(rois)},
        "options": {
            **{"train": train, "test": test, "train_repeats": 2, "test_repeats": 4},
            **{"size": 32, "subjects": 1, "seed": number},
        },
        "shards": shards,
    }


def write_study(
    project: Path,
    models: int,
    datasets: int = 1,
    layers: int = 6,
    rois: int = 2,
    train: int = 24,
    test: int = 20,
    shards: int = 1,
    inference: dict | None = None,
) -> Path:
    """Write the cards of a study into a copy of the project, and the configuration that names them.

    Returns
    -------
    configuration : path, for --configfile
    """
    names = {"models": [f"net{k}" for k in range(models)], "datasets": [f"world{k}" for k in range(datasets)]}
    cards = {
        "models": [model_card(k, layers) for k in range(models)],
        "datasets": [dataset_card(k, rois, train, test, shards) for k in range(datasets)],
    }
    for kind, entries in cards.items():
        for name, card in zip(names[kind], entries, strict=True):
            (project / "resources" / kind / f"{name}.yaml").write_text(yaml.safe_dump(card, sort_keys=False))
    study = names | {
        "inference": inference or {"bootstrap": 40, "permutations": 99, "ceiling_splits": 4, "halves": 2},
        "roles": {
            "rois": {"early": "R0", "late": "R1"},
            "networks": {
                **{"task_optimised": ["net0"], "generative": None},
                **{"self_supervised": None, "untrained": "net1" if models > 1 else None},
            },
        },
    }
    path = project / "generated.yaml"
    path.write_text(yaml.safe_dump(study, sort_keys=False))
    return path


def write_package(project: Path, train: int, test: int, size: int = 32, voxels: int = 40) -> None:
    """A data set of many stimuli, in the layout of Kay's package, with responses that follow the images.

    Replaces the card of `world0`; the file lies in the project.
    """
    generator = np.random.default_rng(0)
    count = train + test
    coarse = generator.normal(size=(count, 8, 8)).repeat(size // 8, axis=1).repeat(size // 8, axis=2)
    images = (0.15 * coarse + 0.02 * generator.normal(size=(count, size, size))).clip(-0.5, 0.5)
    codes = np.repeat([1, 7], voxels)
    weights = generator.normal(size=(size * size, len(codes)))
    responses = images.reshape(count, -1) @ weights
    responses = responses / responses.std(axis=0) + generator.normal(size=responses.shape)
    path = project / "package.npz"
    np.savez(
        path,
        stimuli=images[:train].astype(np.float32),
        stimuli_test=images[train:].astype(np.float32),
        responses=responses[:train],
        responses_test=responses[train:],
        roi=codes,
        roi_names=np.array(["Other", "V1", "V2", "V3", "V3A", "V3B", "V4", "LatOcc"]),
    )
    card_path = project / "resources/datasets/world0.yaml"
    card = yaml.safe_load(card_path.read_text()) | {
        "loader": "kay2008",
        "files": [{"file": path.name, "url": path.as_uri()}],
        "rois": {"V1": {"code": 1, "voxels": voxels}, "LatOcc": {"code": 7, "voxels": voxels}},
        "options": {
            **{"package": path.name, "train": train, "test": test, "train_repeats": 2, "test_repeats": 13},
            **{"size": size, "aperture": False},
        },
    }
    card_path.write_text(yaml.safe_dump(card, sort_keys=False))
    study_path = project / "generated.yaml"
    study = yaml.safe_load(study_path.read_text())
    study["roles"]["rois"] = {"early": "V1", "late": "LatOcc"}
    study_path.write_text(yaml.safe_dump(study, sort_keys=False))
