"""Tiny runs of the whole chain: on embedded data, and on the real 92 images."""

from __future__ import annotations

import hashlib
import html
import json
import os
import re

import h5py
import numpy as np
import pandas as pd
import pytest
import rsatoolbox
import xarray
from PIL import Image

from cortexrsa.code import fingerprint
from cortexrsa.storage import checksum
from support import ROOT, TINY, killed_twice, made, snakemake

NOBODY = (
    "claims: {models: {task_optimised: null, generative: null, self_supervised: null, untrained: null}}\n"
)
MIRROR = ROOT.parent / "shared" / "mirror"


def table(project, name):
    return pd.read_csv(project / "results" / name)


def test_embedded_study(finished):
    scores = table(finished, "tiny/scores.csv")
    columns = (
        "dataset subject roi model layer layer_index depth split measure score se ci_low ci_high p p_fwe"
    )
    assert list(scores)[:15] == columns.split()
    assert set(scores["split"]) == {"train", "test"}
    assert set(scores["n_stimuli"]) == {24, 20}
    # five networks: four of six layers and one of one, in two ROIs and two splits
    assert len(scores) == (4 * 6 + 1) * 2 * 2
    test = scores[scores["split"] == "test"]
    assert test[["score", "se", "ci_low", "ci_high", "p", "p_fwe", "q_fdr"]].notna().all(axis=None)
    assert (test["p_fwe"] >= test["p"]).all()
    assert (test["q_fdr"] >= test["p"] - 1e-12).all()
    assert ((test["ci_low"] < test["score"]) & (test["score"] < test["ci_high"])).all()


def test_embedded_claims_and_ceilings(finished):
    claims, ceilings = table(finished, "tiny/claims.csv"), table(finished, "tiny/ceilings.csv")
    overall = claims[claims["statistic"] == "overall"]
    assert list(overall["claim"]) == ["H1", "H2", "H3", "H4", "H5", "H6"]
    assert set(overall["verdict"]) <= {"supported", "contradicted", "inconclusive", "untestable"}
    assert claims["reason"].notna().all()
    assert set(ceilings["kind"]) == {"split-half"}
    assert (ceilings["lower"] <= ceilings["upper"]).all()


def test_scores_can_be_recomputed_from_the_rdm_files(finished):
    """The chain ends where rsatoolbox ends, starting from the RDM files."""
    folder = finished / "results/tiny/rdms"
    brain, network = (
        rsatoolbox.rdm.load_rdm(str(folder / f"{name}.h5")).subset_pattern("split", "test")
        for name in ("brain", "tiny_untrained")
    )
    expected = rsatoolbox.rdm.compare(brain, network, method="spearman")
    scores = table(finished, "tiny/scores.csv")
    ours = scores[(scores["model"] == "tiny_untrained") & (scores["split"] == "test")]
    ours = ours.pivot(index="roi", columns="layer_index", values="score")
    assert np.abs(ours.loc[list(brain.rdm_descriptors["roi"])].to_numpy() - expected).max() < 1e-9


def test_rdms_can_be_recomputed_from_the_activations(finished):
    folder = finished / "results/tiny"
    layers = pd.read_csv(folder / "activations/tiny_vae/1-of-1/layers.tsv", sep="\t")
    assert list(layers["depth"]) == pytest.approx([0, 0.2, 0.4, 0.6, 0.8, 1])
    stored = rsatoolbox.rdm.load_rdm(str(folder / "rdms/tiny_vae.h5")).dissimilarities
    for layer, dissimilarities in zip(layers["layer"], stored, strict=True):
        features = np.load(folder / f"activations/tiny_vae/1-of-1/{layer}.npy").astype(np.float64)
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
    folder = finished / "results"
    scripts = {
        "tiny/scores.csv": "scores",
        "tiny/claims.csv": "claims",
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
        record = provenance_of(folder / name)
        assert record["code"] == fingerprint(f"scripts/{script}.py", finished), name
        for path, recorded in record["inputs"].items():
            path = finished / path
            assert recorded == checksum(path), name
            if path.is_file():
                assert recorded == "sha256:" + hashlib.sha256(path.read_bytes()).hexdigest()
    models = ("tiny_resnet18", "tiny_simclr", "tiny_vae", "tiny_untrained", "pixels")
    scores = provenance_of(folder / "tiny/scores.csv")
    assert set(scores["inputs"]) == {f"results/studies/tiny/tiny/rsa/{model}.nc" for model in models}


def test_every_result_says_what_made_it(finished):
    folder = finished / "results/tiny"
    tables = ["scores.csv", "ceilings.csv", "claims.csv", "profiles.csv", "reliability.csv", "stimuli.tsv"]
    for name in [*tables, "activations/tiny_vae/1-of-1/layers.tsv", "../corpora/few/index.tsv"]:
        record = json.loads((folder / f"{name}.json").read_text())
        assert record["versions"]["numpy"] == np.__version__
        assert "seed" in json.dumps(record["settings"])
    with xarray.open_dataset(folder / "rsa/pixels.nc", engine="h5netcdf") as rsa:
        assert json.loads(rsa.attrs["provenance"])["settings"]["inference"]["bootstrap"] == 40


def test_figures_and_report(finished):
    figures = finished / "results/studies/tiny/tiny/figures"
    names = ["profiles", "rois", "heatmap", "rdms", "mds", "centroids", "verdicts"]
    names += ["reliability", "learning", "stimuli", "masks", "tsnr", "design", "beta_recovery"]
    for name in names:
        assert (figures / f"{name}.png").stat().st_size > 5000
        assert "</svg>" in (figures / f"{name}.svg").read_text()[-100:]
    report = (finished / "results/studies/tiny/tiny/report.html").read_text()
    for name in names:
        assert f"figures/{name}.svg" in report


def test_trained_networks_are_plain_state_dicts(finished):
    from safetensors.numpy import load_file

    state = load_file(finished / "results/networks/tiny_vae/weights.safetensors")
    assert state["encoder.conv1.weight"].shape == (4, 3, 3, 3)
    assert not (finished / "results/networks/tiny_vae/checkpoint").exists()
    metrics = table(finished, "networks/tiny_vae/metrics.csv")
    assert {"training_loss", "knn_accuracy", "probe_accuracy", "reconstruction_r2", "chance"} <= set(
        metrics["metric"]
    )


def test_a_network_that_did_not_learn_is_marked_and_its_claims_untestable(rerun):
    """A bar that nothing reaches: no network is trained again, tables and figures say what follows."""
    card = rerun / "resources/corpora/few.yaml"
    card.write_text(re.sub("over_chance: [-0-9.]+", "over_chance: 0.9", card.read_text()))
    weights = rerun / "results/networks/tiny_resnet18/weights.safetensors"
    before = weights.stat().st_mtime_ns
    made(rerun, *TINY)
    assert weights.stat().st_mtime_ns == before
    learning = table(rerun, "tiny/learning.csv").set_index("model")
    assert learning.loc["tiny_resnet18", "learned"] == "no"
    claims = table(rerun, "tiny/claims.csv")
    (h1,) = claims[(claims["claim"] == "H1") & (claims["statistic"] != "overall")].to_dict("records")
    assert h1["verdict"] == "untestable"
    assert re.match(r"tiny_resnet18 did not learn \(accuracy \d\.\d+ is below the bar of", h1["reason"])
    # text is drawn as paths, with what each of its lines says in a comment
    for figure in ("profiles", "rois", "heatmap", "rdms", "mds", "centroids", "verdicts", "learning"):
        svg = (rerun / f"results/studies/tiny/tiny/figures/{figure}.svg").read_text()
        assert "ResNet (did not learn)" in " ".join(re.findall(r"<!-- (.*?) -->", svg)), figure


def test_baselines_alone_make_a_study(rerun):
    """No profiles, no centroids, no claims: figures that say so, and a report."""
    (rerun / "alone.yaml").write_text(f"models: [pixels]\n{NOBODY}")
    (rerun / "results/studies/tiny/tiny/report.html").unlink()
    made(rerun, "--configfile", "tiny.yaml", "alone.yaml")
    assert (rerun / "results/studies/tiny/tiny/report.html").exists()
    claims = pd.read_csv(rerun / "results/studies/tiny/tiny/claims.csv")
    assert (claims["verdict"] == "untestable").all()


def test_options_of_the_command_line_may_be_nested(finished):
    run = snakemake(finished, *TINY, "-n", "--config", "inference={bootstrap: 41}", "keep_activations=false")
    assert run.returncode == 0, run.stderr[-2000:]
    assert "RSA of pixels" in run.stdout + run.stderr


def test_a_second_run_does_nothing(finished):
    run = snakemake(finished, *TINY)
    assert run.returncode == 0
    assert "Nothing to be done" in run.stderr + run.stdout


def test_the_same_study_gives_the_same_numbers(finished, project):
    """From scratch elsewhere, with another number of cores: byte for byte on the CPU."""
    target = "results/studies/tiny/tiny/rsa/tiny_untrained.nc"
    tables = ["results/studies/tiny/tiny/ceilings.csv", "results/studies/tiny/tiny/reliability.csv"]
    made(project, *TINY, "--cores", "1", "--", target, *tables)
    for path in tables:
        assert (project / path).read_bytes() == (finished / path).read_bytes()
    with (
        xarray.open_dataset(project / target, engine="h5netcdf") as ours,
        xarray.open_dataset(finished / target, engine="h5netcdf") as theirs,
    ):
        assert ours.identical(theirs)


@pytest.mark.parametrize(("limit", "together"), [([], 2), (["--resources", "gpu=1"], 1)])
def test_gpu_jobs_run_together_only_as_the_resource_allows(rerun, limit, together):
    targets = [
        f"results/tiny/activations/all-features/{model}/1-of-1" for model in ("tiny_untrained", "tiny_simclr")
    ]
    run = made(rerun, *TINY, *limit, "--forcerun", *targets, "--", *targets)
    running, most = set(), 0
    for started, finished_job in re.findall(
        r"^Job (\d+): Activations|^Finished jobid: (\d+)", run.stderr, re.M
    ):
        running = running | {started} if started else running - {finished_job}
        most = max(most, len(running))
    assert most == together


@pytest.mark.skipif(
    not MIRROR.is_dir() and "CORTEXRSA_TEST_DOWNLOADS" not in os.environ,
    reason="no mirror folder beside the project; set CORTEXRSA_TEST_DOWNLOADS=1 to download 4 MB",
)
def test_real_study(project):
    """92 real images and 15 subjects with EfficientNet-Lite0, against rsatoolbox and the known picture."""
    (project / "small.yaml").write_text(
        "models: [efficientnet_lite0, pixels]\ninference: {bootstrap: 60, permutations: 199, halves: 2}\n"
        "claims: {models: {generative: null, untrained: null}}\n"
    )
    study = ("--configfile", "studies/algonauts92.yaml", "small.yaml")
    mirror = {"CORTEXRSA_MIRROR": str(MIRROR)} if MIRROR.is_dir() else {}
    # the reading stages killed, with Snakemake and alone: what follows is as if they had not been
    deaths = killed_twice(project, *study, "--", "results/algonauts92/rdms/brain-published.h5", **mirror)
    assert deaths == {f"{stage}.{k}" for stage in ("fetch", "read_rdm_dataset") for k in (1, 2)}
    made(project, *study, **mirror)

    scores = table(project, "algonauts92/scores.csv")
    assert set(scores["subject"]) == {f"sub-{k:02d}" for k in range(1, 16)} | {"group"}
    by_subject = scores[scores["subject"] != "group"].groupby(["roi", "model", "layer"])["score"].mean()
    group = scores[scores["subject"] == "group"].set_index(["roi", "model", "layer"])["score"]
    assert np.abs(by_subject - group).max() < 1e-9

    brain = rsatoolbox.rdm.load_rdm(str(project / "results/algonauts92/rdms/brain-published.h5"))
    network = rsatoolbox.rdm.load_rdm(
        str(project / "results/algonauts92/rdms/correlation/all-features/efficientnet_lite0.h5")
    )
    expected = rsatoolbox.rdm.compare(brain.subset("roi", "IT"), network, method="spearman").mean(axis=0)
    ours = scores[(scores["model"] == "efficientnet_lite0") & (scores["roi"] == "IT")]
    ours = ours[ours["subject"] == "group"].sort_values("layer_index")
    assert np.abs(ours["score"].to_numpy() - expected).max() < 1e-9
    # a trained network resembles IT, late layers more than the first: known since Khaligh-Razavi et al. 2014
    assert ours["p_fwe"].min() <= 0.05
    assert ours["score"].iloc[-5:].max() > ours["score"].iloc[0] + 0.1

    ceilings = table(project, "algonauts92/ceilings.csv").set_index(["kind", "roi"])
    assert set(ceilings.index.levels[0]) == {"subjects", "subjects-unscaled", "subjects-unscaled-squared"}
    lower, upper = rsatoolbox.inference.noise_ceiling.boot_noise_ceiling(
        brain.subset("roi", "IT"), method="spearman"
    )
    ours = ceilings.loc[("subjects", "IT"), ["lower", "upper"]].tolist()
    assert ours == pytest.approx([lower, upper], abs=1e-9)
