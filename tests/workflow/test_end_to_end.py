"""Tiny runs of the whole chain: on embedded data, and on the real 92 images."""

from __future__ import annotations

import base64
import hashlib
import html
import importlib.metadata
import json
import os
import platform
import re
import shutil

import h5py
import numpy as np
import pandas as pd
import pytest
import rsatoolbox
import yaml
from PIL import Image

from cortexrsa.cards import load_card
from cortexrsa.code import fingerprint
from cortexrsa.storage import checksum
from support import (
    ROOT,
    TINY,
    assert_figure,
    at,
    edit,
    killed_twice,
    made,
    pending,
    place,
    snakemake,
    words_of,
)

NOBODY = (
    "roles: {networks: {task_optimised: null, generative: null, self_supervised: null, untrained: null}}\n"
)
MIRROR = ROOT.parent / "shared" / "mirror"


def table(project, name, configfile="tiny.yaml"):
    return pd.read_csv(at(project, name, configfile))


def first_rules(project, configfile="tiny.yaml"):
    """Claims by the first rules."""
    return table(project, "tiny/claims.csv", configfile).query("file == 'original_study_v1'")


def test_embedded_study(finished):
    scores = table(finished, "tiny/scores.csv")
    columns = (
        "dataset subject roi model seed layer layer_index depth split measure score se ci_low ci_high p p_fwe"
    )
    assert list(scores)[:16] == columns.split()
    assert set(scores["split"]) == {"train", "test"}
    assert set(scores["n_stimuli"]) == {24, 20}
    # five networks: four of six layers and one of one, in two ROIs and two splits
    assert len(scores) == (4 * 6 + 1) * 2 * 2
    test = scores[scores["split"] == "test"]
    assert test[["score", "se", "ci_low", "ci_high", "p", "p_fwe", "q_fdr"]].notna().all(axis=None)
    assert (test["p_fwe"] >= test["p"]).all()
    assert (test["q_fdr"] >= test["p"] - 1e-12).all()
    assert ((test["ci_low"] < test["score"]) & (test["score"] < test["ci_high"])).all()


def test_ceilings_are_those_of_the_responses(finished):
    ceilings = table(finished, "tiny/ceilings.csv").set_index(["split", "roi"])
    assert set(ceilings["kind"]) == {"split-half"}
    # a measured RDM is less similar to another than to the truth
    assert (ceilings["reliability"] < ceilings["attainable"]).all()
    scores = table(finished, "tiny/scores.csv").set_index(["split", "roi"])["score"]
    assert set(scores.index) == set(ceilings.index)
    # four repeats tell more than two
    for roi in ("V1", "LO"):
        assert ceilings.loc[("test", roi), "attainable"] > ceilings.loc[("train", roi), "attainable"]


def test_claims_follow_from_the_scores(finished):
    """Estimates recomputed from the table of scores, and verdicts from the intervals."""
    scores, claims = table(finished, "tiny/scores.csv"), first_rules(finished)
    scores = scores.set_index(["roi", "model", "split"]).sort_values("layer_index")

    def held_out(roi, model, layers=slice(None)):
        """Test score of the layer that is best on the training stimuli."""
        training, test = (
            scores.loc[(roi, model, split), "score"].to_numpy()[layers] for split in ("train", "test")
        )
        return test[training.argmax()]

    overall = claims[claims["statistic"] == "overall"]
    assert list(overall["claim"]) == ["H1", "H2", "H3", "H4", "H5", "H6"]
    parts = claims[claims["estimate"].notna()].set_index(["claim", "roi", "statistic"])
    expected = {}
    for roi in ("V1", "LO"):
        networks = held_out(roi, "tiny_resnet18"), held_out(roi, "tiny_vae")
        expected["H4", roi, "difference of held-out best layers"] = networks[0] - networks[1]
        vae = scores.loc[(roi, "tiny_vae", "test")]
        expected["H5", roi, "slope of the profile"] = np.polyfit(vae["depth"], vae["score"], 1)[0]
    # depths 0.4 and 0.6 of six layers
    last = scores.loc[("LO", "tiny_resnet18", "test"), "score"].iloc[-1]
    middle = held_out("LO", "tiny_resnet18", slice(2, 4))
    expected["H2", "LO", "held-out best middle layer - last layer"] = middle - last
    for part, value in expected.items():
        assert parts.loc[part, "estimate"] == pytest.approx(value, abs=1e-6), part

    ceilings = table(finished, "tiny/ceilings.csv").query("split == 'test'").set_index("roi")
    bounds = 0.2 * ceilings[["attainable", "attainable_ci_low", "attainable_ci_high"]]
    for (claim, roi, _), part in parts.iterrows():
        low, high = part["ci_low"], part["ci_high"]
        if claim in ("H2", "H4"):
            verdict = "supported" if low > 0 else "contradicted" if high < 0 else "inconclusive"
        elif claim == "H5":
            # errors of the slope and of the bound together
            bound, least, most = bounds.loc[roi]
            size, half = abs(part["estimate"]), (high - low) / 2
            inside = size + np.hypot(half, bound - least) < bound
            outside = size - np.hypot(half, most - bound) > bound
            verdict = "supported" if inside else "contradicted" if outside else "inconclusive"
        else:
            continue
        assert part["verdict"] == verdict, part


def test_scores_can_be_recomputed_from_the_rdm_files(finished):
    """The chain ends where rsatoolbox ends, starting from the RDM files."""
    brain, network = (
        rsatoolbox.rdm.load_rdm(str(at(finished, f"tiny/rdms/{name}.h5"))).subset_pattern("split", "test")
        for name in ("brain", "tiny_untrained")
    )
    expected = rsatoolbox.rdm.compare(brain, network, method="spearman")
    scores = table(finished, "tiny/scores.csv")
    ours = scores[(scores["model"] == "tiny_untrained") & (scores["split"] == "test")]
    ours = ours.pivot(index="roi", columns="layer_index", values="score")
    assert np.abs(ours.loc[list(brain.rdm_descriptors["roi"])].to_numpy() - expected).max() < 1e-9


def test_rdms_can_be_recomputed_from_the_activations(finished):
    folder = at(finished, "tiny/activations/tiny_vae/1-of-1")
    layers = pd.read_csv(folder / "layers.tsv", sep="\t")
    assert list(layers["depth"]) == pytest.approx([0, 0.2, 0.4, 0.6, 0.8, 1])
    stored = rsatoolbox.rdm.load_rdm(str(at(finished, "tiny/rdms/tiny_vae.h5"))).dissimilarities
    for layer, dissimilarities in zip(layers["layer"], stored, strict=True):
        features = np.load(folder / f"{layer}.npy").astype(np.float64)
        expected = rsatoolbox.rdm.calc_rdm(rsatoolbox.data.Dataset(features), method="correlation")
        assert np.abs(expected.dissimilarities[0] - dissimilarities).max() < 1e-5


def provenance_of(path):
    """The record that a result carries, or that stands beside it."""
    match path.suffix:
        case ".nc" | ".h5":
            with h5py.File(path) as file:
                holder = file if path.suffix == ".nc" else file["descriptors"]
                return json.loads(holder.attrs["provenance"])
        case ".png":
            return json.loads(Image.open(path).text["Description"])
        case ".svg":
            (text,) = re.findall(r"<dc:description>(.*?)</dc:description>", path.read_text(), re.DOTALL)
            return json.loads(html.unescape(text))
        case _:
            return json.loads(path.with_name(path.name + ".json").read_text())


def test_every_result_names_its_code_and_its_inputs(finished):
    """From the tables and figures back to the first files: a chain of checksums."""
    scripts = {
        "tiny/scores.csv": "scores",
        "tiny/claims.csv": "claims",
        "tiny/ranks.csv": "comparisons",
        "tiny/rsa/pixels.nc": "rsa",
        "tiny/rdms/pixels.h5": "network_rdms",
        "tiny/truth.nc": "simulate",
        "tiny/stimuli.tsv": "read_bids_stimuli",
        "tiny/responses.nc": "responses",
        "tiny/activations/tiny_vae/1-of-1/layers.tsv": "extract",
        "networks/tiny_vae/metrics.csv": "train",
        "tiny/figures/rdms.png": "plot_geometry",
        "tiny/figures/rdms.svg": "plot_geometry",
    }
    for name, script in scripts.items():
        record = provenance_of(at(finished, name))
        assert record["code"] == fingerprint(f"scripts/{script}.py", finished), name
        for path, recorded in record["inputs"].items():
            path = finished / path
            assert recorded == checksum(path), name
            if path.is_file():
                assert recorded == "sha256:" + hashlib.sha256(path.read_bytes()).hexdigest()
    models = ("tiny_resnet18", "tiny_simclr", "tiny_vae", "tiny_untrained", "pixels")
    scores = provenance_of(at(finished, "tiny/scores.csv"))
    assert set(scores["inputs"]) == {place(finished, f"tiny/rsa/{model}.nc") for model in models}


def test_every_result_says_what_made_it(finished):
    """The settings that a result depends on, as the cards and the configuration have them, and no others."""

    def record_of(name):
        return provenance_of(at(finished, name))

    study = yaml.safe_load((finished / "config.yaml").read_text())["inference"]
    study |= yaml.safe_load((finished / "tiny.yaml").read_text())["inference"]
    corpus = load_card("corpora", "few", finished)
    vae = load_card("models", "tiny_vae", finished)
    expected = {
        "tiny/scores.csv": {"inference": ("confidence", "seed")},
        "tiny/ceilings.csv": {"inference": ("bootstrap", "ceiling_splits", "confidence", "seed")},
        "tiny/claims.csv": {"inference": ("confidence", "seed")},
        "tiny/profiles.csv": {"inference": ("confidence", "seed")},
    }
    for name, parts in expected.items():
        settings = record_of(name)["settings"]
        for part, keys in parts.items():
            assert {key: settings[part][key] for key in keys} == {key: study[key] for key in keys}, name
    made_by = {
        "tiny/reliability.csv": {key: study[key] for key in ("ceiling_splits", "seed")} | {"unit": None},
        "corpora/few/index.tsv": {key: corpus[key] for key in ("kind", "options")},
        "tiny/activations/tiny_vae/1-of-1/layers.tsv": {
            key: vae[key] for key in ("network", "weights", "preprocessing", "layers")
        },
    }
    for name, settings in made_by.items():
        assert record_of(name)["settings"] == settings, name
    simulated = record_of("tiny/stimuli.tsv")["settings"]["simulated"]
    assert simulated["options"]["seed"] == load_card("datasets", "tiny", finished)["options"]["seed"]
    assert record_of("tiny/rsa/pixels.nc")["settings"]["inference"]["bootstrap"] == 40
    versions = record_of("tiny/scores.csv")["versions"]
    assert versions.pop("python") == platform.python_version()
    assert versions == {package: importlib.metadata.version(package) for package in versions}
    assert {"numpy", "scipy", "pandas", "torch", "snakemake"} <= set(versions)


# what must stand in a figure of the tiny study, beside the names of its networks
NETWORKS = ("ResNet", "SimCLR", "VAE")
FIGURES = {
    "profiles": (*NETWORKS, "V1", "LO", "ceiling"),
    "rois": (*NETWORKS, "Pixels", "V1", "LO", "noise ceiling"),
    "heatmap": (*NETWORKS, "Pixels", "V1", "LO", "layer4.1", "encoder.layer4.1", "mu"),
    "rdms": (*NETWORKS, "Pixels", "V1", "LO", "dissimilarity (rank)"),
    "mds": (*NETWORKS, "Pixels", "V1", "LO", "stress-1"),
    "centroids": (*NETWORKS, "V1", "LO"),
    "verdicts": ("H1", "H6", "inconclusive", "untestable", "difference of depth centroids:"),
    "comparisons": (*NETWORKS, "Pixels", "V1", "LO", "noise ceiling"),
    "encoding": (*NETWORKS, "V1", "LO"),
    "measures": (*NETWORKS, "Pixels", "V1", "LO", "RSA", "partial RSA", "encoding"),
    "measure_ranks": (*NETWORKS, "Pixels", "V1: Kendall's W", "LO: Kendall's W"),
    "rdm_variance": (*NETWORKS, "Pixels", "V1", "LO", "variance of the RDM explained"),
    "encoding_maps": (*NETWORKS, "(sub-01): depth of the best layer; its r"),
    "reliability": ("test stimuli, 4 repeats", "train stimuli, 2 repeats", "V1 (median", "30 voxels"),
    "learning": (*NETWORKS, "chance", "before training", "images seen"),
    "stimuli": (),
    "inputs": ("Pixels", "32 x 32"),
    "masks": ("V1", "LO", "sub-01"),
    "tsnr": ("tSNR", "V1 (30 voxels, median", "LO (30 voxels, median"),
    "design": ("sub-01, first run", "time (s)"),
    "beta_recovery": ("V1", "LO", "correlation with planted betas", "true"),
}


def test_figures_are_drawn_with_their_words(finished):
    folder = at(finished, "tiny/figures")
    assert {path.stem for path in folder.glob("*.png")} == set(FIGURES)
    for name, words in FIGURES.items():
        assert_figure(folder, name, *words)
    # numbers of the figures are those of the tables
    claims = first_rules(finished)
    row = claims[(claims["claim"] == "H4") & (claims["roi"] == "V1")].iloc[0]
    told = f"ResNet / VAE in V1: {row['estimate']:.2f} [{row['ci_low']:.2f}, {row['ci_high']:.2f}]"
    # whatever the width of the column at which its lines break
    assert told in " ".join(words_of(folder / "verdicts.svg").split())
    reliability = table(finished, "tiny/reliability.csv").query("split == 'test'").groupby("roi")
    for roi, median in reliability["reliability"].median().items():
        assert f"{roi} (median {median:.2f}, 30 voxels)" in words_of(folder / "reliability.svg")


def test_the_report_opens_with_the_answer_and_shows_every_figure(finished):
    folder = at(finished, "tiny/report.html").parent
    page = (folder / "report.html").read_text()
    claims = table(finished, "tiny/claims.csv").query("statistic == 'overall'")
    words = " ".join(html.unescape(re.sub("<[^>]*>", " ", page)).split())
    answer = words[words.index("The answer") : words.index("Networks compared")]
    for verdict, count in claims["verdict"].value_counts().items():
        assert re.search(rf"{count} (is|are) {verdict}", answer)
    for statement in claims["statement"]:
        assert statement in answer
    for warning in table(finished, "tiny/warnings.csv")["warning"]:
        assert " ".join(warning.split()) in answer
    # the headline once, the table of verdicts in words, all else once
    assert set(re.findall(r'<figure id="(\w+)">', page)) == set(FIGURES) - {"rois", "verdicts"}
    assert page.count('<svg role="img" aria-label="') == len(FIGURES) - 1
    identifiers = re.findall(r' id="([^"]+)"', page)
    assert len(identifiers) == len(set(identifiers))
    assert set(re.findall(r'(?:href="|url\()#([^")]+)', page)) <= set(identifiers)
    # nothing is asked of another file or machine
    assert not re.findall(r"<script|<link(?! rel=.icon. href=.data:,.)|src=|@import|url\((?!#)", page)
    for name in re.findall(r'href="([^#"][^":]*)"', page):
        assert (folder / name).is_file(), name


def test_snakemakes_report_shows_every_figure_and_table_as_it_is(finished):
    report = at(finished, "tiny/workflow.html").read_text()
    (text,) = re.findall(r"var results = (\{.*?\});?\s*</script>", report, re.DOTALL)
    results = json.loads(text)
    expected = {"claims.csv", "comparisons.csv", "ranks.csv", "learning.csv"} | {
        f"figures/{name}.svg" for name in FIGURES
    }
    assert {place(finished, f"tiny/{name}") for name in expected} <= set(results)
    for path, result in results.items():
        shown = base64.b64decode(result["data_uri"].partition("base64,")[2])
        if path.endswith(".svg"):
            assert shown == (finished / path).read_bytes(), path
        assert len(re.sub("<[^>]*>", "", result["caption"]).split()) > 10, path
        assert result["labels"]["data set"] == "tiny", path


def test_trained_networks_are_plain_state_dicts(finished):
    from safetensors.numpy import load_file

    state = load_file(finished / "results/networks/tiny_vae/weights.safetensors")
    assert state["encoder.conv1.weight"].shape == (4, 3, 3, 3)
    assert not (finished / "results/networks/tiny_vae/checkpoint").exists()
    metrics = table(finished, "networks/tiny_vae/metrics.csv")
    assert {"training_loss", "knn_accuracy", "probe_accuracy", "reconstruction_r2", "chance"} <= set(
        metrics["metric"]
    )


def test_seeds_of_a_network_are_one_network(rerun):
    """An untrained and a trained one: a run for each seed, one line and row for all of them."""
    for name, seeds in (("tiny_untrained", 3), ("tiny_simclr", 2)):
        path = rerun / f"resources/models/{name}.yaml"
        path.write_text(path.read_text() + f"seeds: {seeds}\n")
    before = table(rerun, "tiny/scores.csv")
    made(rerun, *TINY)
    after = table(rerun, "tiny/scores.csv")
    assert after.groupby("model")["seed"].max().to_dict() == {
        "pixels": 1,
        "tiny_resnet18": 1,
        "tiny_simclr": 2,
        "tiny_untrained": 3,
        "tiny_vae": 1,
    }
    first = after[after["seed"] == 1].reset_index(drop=True)
    pd.testing.assert_series_equal(first["score"], before["score"])
    seeds = after[after["model"] == "tiny_untrained"].groupby("seed")["score"].agg(list)
    assert seeds.loc[1] != seeds.loc[2] != seeds.loc[3]
    for name in ("tiny_simclr", "tiny_simclr@2"):
        assert (rerun / f"results/networks/{name}/weights.safetensors").is_file()
    assert table(rerun, "tiny/learning.csv").query("model == 'tiny_simclr'")["seed"].tolist() == [1, 2]
    ranks = table(rerun, "tiny/ranks.csv")
    assert ranks[ranks["model"] == "tiny_untrained"]["seeds"].tolist() == [3, 3]
    profiles = table(rerun, "tiny/profiles.csv")
    assert not profiles.duplicated(["model", "roi", "statistic"]).any()
    for figure in ("profiles", "rois", "heatmap", "centroids", "comparisons", "learning", "inputs"):
        assert "@" not in words_of(at(rerun, f"tiny/figures/{figure}.svg")), figure
    for figure in ("rdms", "mds"):
        assert "(1 of" in words_of(at(rerun, f"tiny/figures/{figure}.svg")), figure
    claims = first_rules(rerun)
    (h6,) = claims[(claims["claim"] == "H6") & (claims["statistic"] != "overall")].to_dict("records")
    assert h6["models"] == "tiny_simclr, tiny_resnet18, tiny_untrained"


@pytest.fixture(scope="module")
def changed(finished, tmp_path_factory):
    """The finished study changed in three ways, and run again; and when its files were made before.

    A bar of learning that nothing reaches, another seed of the untrained network, and a constant layer.
    """
    project = tmp_path_factory.mktemp("changed") / "project"
    shutil.copytree(finished, project, symlinks=True)
    card = project / "resources/corpora/few.yaml"
    card.write_text(re.sub("over_chance: [-0-9.]+", "over_chance: 0.9", card.read_text()))
    edit(project / "resources/models/tiny_untrained.yaml", "seed: 1", "seed: 2")
    layer = at(project, "tiny/activations/pixels/1-of-1/pixels.npy")
    np.save(layer, np.ones_like(np.load(layer)))
    layer.with_name("layers.tsv.json").unlink()
    before = {path: path.stat().st_mtime_ns for path in (project / "results").rglob("*") if path.is_file()}
    made(project, *TINY, "--forcerun", place(project, "tiny/rdms/pixels.h5"))
    return project, before


def test_the_plan_is_what_is_run(changed):
    """The jobs of what was edited ran, the others' files are untouched; nothing is left to do."""
    project, before = changed
    made_anew = {path for path, time in before.items() if path.stat().st_mtime_ns != time}
    assert {path.stem for path in made_anew if path.suffix == ".nc" and path.parent.name == "rsa"} == {
        "tiny_untrained",
        "pixels",
    }
    assert not [path for path in made_anew if path.name == "weights.safetensors"]
    assert pending(project) == set()


def test_a_network_that_did_not_learn_is_marked_and_its_claims_untestable(changed):
    """No network is trained again (see above); tables and figures say what follows."""
    project, _ = changed
    learning = table(project, "tiny/learning.csv").set_index("model")
    assert learning.loc["tiny_resnet18", "learned"] == "no"
    claims = table(project, "tiny/claims.csv")
    parts = claims[(claims["claim"] == "H1") & (claims["statistic"] != "overall")]
    assert set(parts["verdict"]) == {"untestable"}
    told = parts["reason"].str.match(r"tiny_resnet18 did not learn \(accuracy \d\.\d+ is below the bar of")
    assert told.all()
    for figure in ("profiles", "rois", "heatmap", "rdms", "mds", "centroids", "verdicts", "learning"):
        assert "ResNet (did not learn)" in words_of(at(project, f"tiny/figures/{figure}.svg")), figure


def test_a_constant_layer_scores_nothing_and_says_why(changed):
    project, _ = changed
    scores = table(project, "tiny/scores.csv")
    pixels = scores[scores["model"] == "pixels"]
    assert pixels["score"].isna().all()
    assert pixels["note"].str.contains("constant").all()
    assert scores[scores["model"] != "pixels"]["score"].notna().all()


def test_baselines_alone_make_a_study(rerun):
    """No profiles, no centroids, no claims: figures that say so, and a report."""
    (rerun / "alone.yaml").write_text(f"models: [pixels]\n{NOBODY}")
    before = at(rerun, "tiny/report.html").read_bytes()
    run = made(rerun, "--configfile", "tiny.yaml", "alone.yaml")
    assert at(rerun, "tiny/report.html", "alone.yaml").exists()
    claims = table(rerun, "tiny/claims.csv", "alone.yaml")
    assert (claims["verdict"] == "untestable").all()
    # the run ends with the verdicts
    told = re.findall(r"^  (\S+ \S+) +untestable  (.+)$", run.stderr, re.MULTILINE)
    whole = claims[claims["statistic"] == "overall"]
    assert told == list(zip(whole["file"] + " " + whole["claim"], whole["statement"], strict=True))
    # the other study of the same data set keeps its results
    assert at(rerun, "tiny/report.html").read_bytes() == before


def test_options_of_the_command_line_may_be_nested(finished):
    run = snakemake(finished, *TINY, "-n", "--config", "inference={bootstrap: 41}", "keep_activations=false")
    assert run.returncode == 0, run.stderr[-2000:]
    assert "RSA of pixels" in run.stdout + run.stderr


def test_a_second_run_does_nothing(rerun):
    run = made(rerun, *TINY)
    assert "Nothing to be done" in run.stderr + run.stdout


def most_together(project, run):
    """How many GPU jobs Snakemake ran at the same time, at most, in its first (0) or last (-1) run."""
    # the report has logs of its own, in which no job ends
    logs = [path.read_text() for path in sorted((project / ".snakemake/log").glob("*.log"))]
    said = [text for text in logs if "Finished jobid" in text][run]
    running, most = set(), 0
    for started, ended in re.findall(
        r"^Job (\d+): (?:Activations of (?!pixels)|Training)|^Finished jobid: (\d+)", said, re.M
    ):
        running = running | {started} if started else running - {ended}
        most = max(most, len(running))
    return most


def test_gpu_jobs_run_together_only_as_the_resource_allows(rerun):
    assert most_together(rerun, 0) == 2
    targets = [
        place(rerun, f"tiny/activations/{model}/1-of-1") for model in ("tiny_untrained", "tiny_simclr")
    ]
    made(rerun, *TINY, "--resources", "gpu=1", "--forcerun", *targets, "--", *targets)
    assert most_together(rerun, -1) == 1


@pytest.mark.skipif(
    not MIRROR.is_dir() and "CORTEXRSA_TEST_DOWNLOADS" not in os.environ,
    reason="no mirror folder beside the project; set CORTEXRSA_TEST_DOWNLOADS=1 to download 4 MB",
)
def test_real_study(project):
    """92 real images and 15 subjects with EfficientNet-Lite0, against rsatoolbox and the known picture."""
    (project / "small.yaml").write_text(
        "models: [efficientnet_lite0, pixels]\ninference: {bootstrap: 60, permutations: 199, halves: 2}\n"
        "roles: {networks: {generative: null, untrained: null}}\n"
    )
    study = ("--configfile", "studies/algonauts92.yaml", "small.yaml")
    mirror = {"CORTEXRSA_MIRROR": str(MIRROR)} if MIRROR.is_dir() else {}
    # the reading stages killed, with Snakemake and alone: what follows is as if they had not been
    target = "results/algonauts92/rdms/brain-published.h5"
    deaths = killed_twice(project, *study, "--", target, together=("fetch", "read_rdm_dataset"), **mirror)
    assert deaths == {f"{stage}.{k}" for stage in ("fetch", "read_rdm_dataset") for k in (1, 2)}
    made(project, *study, **mirror)

    scores = table(project, "algonauts92/scores.csv", " ".join(study[1:]))
    assert set(scores["subject"]) == {f"sub-{k:02d}" for k in range(1, 16)} | {"group"}
    by_subject = scores[scores["subject"] != "group"].groupby(["roi", "model", "layer"])["score"].mean()
    group = scores[scores["subject"] == "group"].set_index(["roi", "model", "layer"])["score"]
    assert np.abs(by_subject - group).max() < 1e-9

    brain = rsatoolbox.rdm.load_rdm(str(project / "results/algonauts92/rdms/brain-published.h5"))
    network = rsatoolbox.rdm.load_rdm(
        str(project / "results/algonauts92/rdms/correlation/raw/all-features/efficientnet_lite0.h5")
    )
    expected = rsatoolbox.rdm.compare(brain.subset("roi", "IT"), network, method="spearman").mean(axis=0)
    ours = scores[(scores["model"] == "efficientnet_lite0") & (scores["roi"] == "IT")]
    ours = ours[ours["subject"] == "group"].sort_values("layer_index")
    assert np.abs(ours["score"].to_numpy() - expected).max() < 1e-9
    # a trained network resembles IT, late layers more than the first: known since Khaligh-Razavi et al. 2014
    assert ours["p_fwe"].min() <= 0.05
    assert ours["score"].iloc[-5:].max() > ours["score"].iloc[0] + 0.1

    ceilings = table(project, "algonauts92/ceilings.csv", " ".join(study[1:])).set_index(["kind", "roi"])
    assert set(ceilings.index.levels[0]) == {"subjects", "subjects-unscaled", "subjects-unscaled-squared"}
    lower, upper = rsatoolbox.inference.noise_ceiling.boot_noise_ceiling(
        brain.subset("roi", "IT"), method="spearman"
    )
    ours = ceilings.loc[("subjects", "IT"), ["lower", "upper"]].tolist()
    assert ours == pytest.approx([lower, upper], abs=1e-9)
