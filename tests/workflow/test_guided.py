"""Training with the brain in the workflow: what is planned, what reruns, and killed jobs."""

from __future__ import annotations

import itertools
import json

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from cortexrsa.formats.netcdf import read_dataset
from cortexrsa.networks.corpora import split_of
from support import edit, killed_twice, made, pending, refused

STUDY = ("--configfile", "tiny.yaml", "guided.yaml")
CONTROLS = ("unguided", "shuffled", "spectrum", "low_level", "labels", "other_roi", "network")
CARDS = ["tiny_guided", *(f"tiny_guided~{control}" for control in CONTROLS)]
NETWORKS = [f"{card}{seed}" for card in CARDS for seed in ("", "@2")]


@pytest.fixture
def guided(rerun):
    """The finished tiny study, and beside it one of a network that is trained with the brain."""
    (rerun / "guided.yaml").write_text(
        "study: guided\n"
        "models: [tiny_guided, tiny_resnet18]\n"
        "claims: []\n"
        "roles: {networks: {generative: null, self_supervised: null, untrained: null}}\n"
    )
    return rerun


def trained(found: set[str]) -> set[str]:
    return {path.split("/")[1] for path in found if path.endswith("weights.safetensors")}


def weights(network: str) -> str:
    return f"results/networks/{network}/weights.safetensors"


def test_one_card_is_a_network_for_each_control_and_seed(guided):
    found = pending(guided, *STUDY)
    # the other networks, and the data, are there already
    assert trained(found) == set(NETWORKS)
    assert {f"tiny/rsa/{network}.nc" for network in NETWORKS} <= found
    assert "tiny/rdms/tiny_resnet18.h5" not in found
    assert "corpora/few/hashes.npy" in found


@pytest.mark.slow
def test_guided_jobs_are_killed_and_edits_rerun_what_depends_on_them(guided):
    names = ("tiny_guided~spectrum", "tiny_guided~network@2")
    targets = [weights(name) for name in names]
    deaths = killed_twice(guided, *STUDY, "--", targets[0])
    assert deaths == {f"{stage}.{k}" for stage in ("hash_corpus", "train_guided") for k in (1, 2)}
    made(guided, *STUDY, "--", targets[1])
    folders = [(guided / target).parent for target in targets]
    for folder in folders:
        seen, choice, metrics = (
            pd.read_csv(folder / f"{table}.csv") for table in ("guidance", "choice", "metrics")
        )
        assert seen.groupby("split")["role"].unique().map(set).to_dict() == {
            "train": {"fit", "validation"},
            "test": {"test"},
        }
        assert choice["weight"].tolist() == [1, 4]
        assert choice["chosen"].sum() == 1
        assert {"training_similarity", "validation_similarity"} <= set(metrics["metric"])
    record = json.loads((folders[1] / "weights.safetensors.json").read_text())
    assert any("tiny_vae/weights" in path for path in record["inputs"])
    # what it is scored by was not trained on
    folder = "results/studies/guided/tiny"
    files = [f"{folder}/{kind}/{names[0]}.nc" for kind in ("rsa", "measures", "encoding")]
    made(guided, *STUDY, "--", *files)
    kinds = [read_dataset(guided / file) for file in files]
    for found in kinds:
        record = json.loads(found.attrs["provenance"])
        assert f"results/networks/{names[0]}/guidance.csv" in record["inputs"]
    scores = kinds[0]
    chosen = int(scores["n_stimuli"].sel(split="train"))
    assert chosen == (pd.read_csv(folders[0] / "guidance.csv")["role"] == "validation").sum() == 8
    # its own settings alone decide
    before = trained(pending(guided, *STUDY))
    assert before == set(NETWORKS) - set(names)
    edit(guided / "resources/models/tiny_guided.yaml", "images_seen: 96", "images_seen: 120")
    found = pending(guided, *STUDY)
    assert trained(found) == set(NETWORKS)
    assert "tiny/rdms/tiny_resnet18.h5" not in found


@pytest.mark.slow
def test_a_leak_in_the_corpus_is_refused(guided):
    """A folder with the corpus's images, and among them a test stimulus under another name."""
    results, folder = guided / "results", guided / "photographs"
    images = np.load(results / "corpora/few/images.npy")
    index = pd.read_csv(results / "corpora/few/index.tsv", sep="\t")
    for image, category, name in zip(images, index["category"], index["file"], strict=True):
        (folder / category).mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(folder / category / f"{name}.png")
    stimuli = pd.read_csv(results / "tiny/stimuli.tsv", sep="\t")
    tested = int(np.flatnonzero(stimuli["split"] == "test")[3])
    category = index["category"][0]
    names = (f"{category}/found-{k}.jpg" for k in itertools.count())
    leak = next(name for name in names if split_of(name, 0.333) == "train")
    Image.fromarray(np.load(results / "tiny/stimuli.npy")[tested]).resize((48, 48)).save(folder / leak)
    card = guided / "resources/corpora/few.yaml"
    edit(card, "kind: procedural", "kind: imagefolder")
    edit(card, "images: 144, validation: 0.333, size: 32, seed: 4", "validation: 0.333, folder: photographs")
    line = refused(guided, *STUDY, "--", weights("tiny_guided"))
    assert f"corpus: images: found '{leak}', which is the test stimulus" in line
    assert stimuli["stimulus_id"][tested] in line
    assert not (guided / weights("tiny_guided")).exists()
