"""A change reruns exactly what depends on it (plans only: nothing is run)."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from cortexrsa.formats.rdms import read_rdms
from support import TINY, at, edit, made, pending, place, refused, snakemake

FILES = ("svg", "png", "pdf", "csv")
FIGURES = {
    f"tiny/figures/{name}.{suffix}"
    for name in ("profiles", "rois", "heatmap", "rdms", "mds", "centroids", "verdicts", "comparisons")
    for suffix in FILES
}
COMPARISONS = {"tiny/comparisons.csv", "tiny/ranks.csv"}
# the maps are a result of the job that draws them
ENCODING_FIGURES = {"tiny/encoding_maps"} | {
    f"tiny/figures/{name}.{suffix}" for name in ("encoding", "encoding_maps") for suffix in FILES
}
MEASURE_FIGURES = {
    f"tiny/figures/{name}.{suffix}"
    for name in ("measures", "measure_ranks", "rdm_variance")
    for suffix in FILES
}
MEASURES = {"tiny/measures.csv", "tiny/measure_ranks.csv", "tiny/rdm_variance.csv"} | MEASURE_FIGURES
AGGREGATES = {"tiny/scores.csv", "tiny/claims.csv", "tiny/profiles.csv", "tiny/encoding.csv"}
AGGREGATES |= COMPARISONS | FIGURES | ENCODING_FIGURES | MEASURES
STIMULI = {f"tiny/figures/stimuli.{suffix}" for suffix in FILES}
INPUTS = {"tiny/inputs.nc"} | {f"tiny/figures/inputs.{suffix}" for suffix in FILES}
LEARNING = {"tiny/learning.csv"} | {f"tiny/figures/learning.{suffix}" for suffix in FILES}
RECOVERY = {"tiny/beta_recovery.csv"} | {f"tiny/figures/beta_recovery.{suffix}" for suffix in FILES}


def rerunning(project: Path) -> set[str]:
    """What a run would make again, but for the table of warnings, which follows all other results."""
    found = pending(project)
    others = found - {"tiny/warnings.csv"}
    assert ("tiny/warnings.csv" in found) == bool(others)
    return others


def jobs_of(model: str) -> set[str]:
    results = {f"tiny/{measure}/{model}.nc" for measure in ("rsa", "measures", "encoding")}
    return {f"tiny/activations/{model}/1-of-1", f"tiny/rdms/{model}.h5"} | results


def test_nothing_to_do_after_a_run(rerun):
    assert rerunning(rerun) == set()


def test_one_card_edited(rerun):
    edit(rerun / "resources/models/tiny_untrained.yaml", "seed: 1", "seed: 2")
    assert rerunning(rerun) == jobs_of("tiny_untrained") | AGGREGATES


def test_rdms_of_a_card_before_a_failed_extraction_are_not_current(rerun):
    edit(rerun / "resources/models/tiny_untrained.yaml", "layers: [relu,", "layers: [relu, nowhere,")
    assert "nowhere" in refused(rerun, *TINY, "--", place(rerun, "tiny/rdms/tiny_untrained.h5"))
    assert not at(rerun, "tiny/activations/tiny_untrained/1-of-1").exists()
    assert rerunning(rerun) == jobs_of("tiny_untrained") | AGGREGATES


def test_responses_before_a_failed_glm_are_not_current(rerun):
    (rerun / "tiny.yaml").write_text(
        (rerun / "tiny.yaml").read_text() + "glm: {drift: polynomial, drift_order: 999}\n"
    )
    refused(rerun, *TINY, "--", place(rerun, "tiny/responses.nc"))
    assert not at(rerun, "tiny/glm/sub-01_betas.nc").exists()
    assert {"tiny/glm/sub-01_betas.nc", "tiny/responses.nc", "tiny/claims.csv"} <= rerunning(rerun)


def test_what_a_failed_job_took_away_is_made_again(rerun):
    """Snakemake removes the former outputs of a job that fails, and does not miss what nobody asks for."""
    results = rerun / "results"
    made = ("bids", "truth.nc", "stimuli.npy", "glm/sub-01_betas.nc", "responses.nc", "rdms/brain.h5")
    made += ("rdms/tiny_vae.h5", "rsa/tiny_vae.nc")
    lost = {f"tiny/{name}": at(rerun, f"tiny/{name}") for name in made}
    lost |= {
        name: results / name for name in ("networks/tiny_vae/weights.safetensors", "corpora/few/index.tsv")
    }
    for name, path in lost.items():
        path.rename(rerun / "away")
        assert {name, "tiny/claims.csv", "tiny/figures/profiles.svg"} <= rerunning(rerun), name
        (rerun / "away").rename(path)
    assert rerunning(rerun) == set()


def test_tables_of_the_calibration_that_went_missing_are_made_again(project):
    made = sorted(pending(project, "--", "calibration"))
    # true scores first, then tables, then the figure: none older than what it is made from
    made.sort(key=lambda name: (not name.startswith("calibration/truth"), "-subjects-" not in name))
    for age, name in enumerate(made, -len(made)):
        path = project / "results" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        os.utime(path, (time.time() + age, time.time() + age))
    assert pending(project, "--", "calibration") == set()
    for name in ("calibration/truth-one-weak.npy", "calibration/4-subjects-40-stimuli-none.csv"):
        (project / "results" / name).rename(project / "away")
        assert {name, "calibration/calibration.csv"} <= pending(project, "--", "calibration"), name
        (project / "away").rename(project / "results" / name)


def test_a_recipe_edited_trains_that_network_again(rerun):
    edit(rerun / "resources/models/tiny_vae.yaml", "images_seen: 96", "images_seen: 192")
    trained = {"networks/tiny_vae/weights.safetensors", "networks/tiny_vae/metrics.csv"}
    assert rerunning(rerun) == trained | jobs_of("tiny_vae") | AGGREGATES | LEARNING


def test_words_of_a_card_change_no_result(rerun):
    edit(rerun / "resources/models/tiny_vae.yaml", "description: ", "description: Another ")
    assert rerunning(rerun) == set()


def test_a_claim_edited_reruns_the_claims_and_their_figures(rerun):
    claims = {"tiny/claims.csv", "tiny/profiles.csv"}
    claims |= {name for name in FIGURES if "centroids" in name or "verdicts" in name}
    path = rerun / "resources/claims/original_study_v1.yaml"
    edit(path, "title: ", "# a comment\ntitle: ")
    assert rerunning(rerun) == set()
    edit(path, "expect: greater", "expect: less")
    assert rerunning(rerun) == claims
    edit(path, "expect: less", "expect: greater")
    edit(rerun / "tiny.yaml", "generative: tiny_vae", "generative: null")
    assert rerunning(rerun) == claims


def test_batch_size_of_the_extraction_changes_no_result(rerun):
    path = rerun / "resources/models/tiny_untrained.yaml"
    path.write_text(path.read_text() + "batch_size: 7\n")
    assert rerunning(rerun) == set()


def test_a_label_changes_the_figures_alone(rerun):
    edit(rerun / "resources/models/tiny_vae.yaml", "label: ", "label: Another ")
    drawn = FIGURES | ENCODING_FIGURES | MEASURE_FIGURES | LEARNING | INPUTS
    assert rerunning(rerun) == drawn - {"tiny/learning.csv", "tiny/inputs.nc"}


def test_comment_touch_and_checkout_change_nothing(rerun):
    for path in [*rerun.rglob("*.py"), *rerun.rglob("*.yaml"), *rerun.rglob("*.smk"), rerun / "Snakefile"]:
        if "results" not in path.parts and ".snakemake" not in path.parts:
            path.write_text("# a comment\n" + path.read_text())
            os.utime(path)
    assert rerunning(rerun) == set()


def test_a_docstring_changes_nothing(rerun):
    edit(
        rerun / "scripts/cortexrsa/geometry/gram.py", "Gram matrix of the patterns", "Gram matrix of patterns"
    )
    assert rerunning(rerun) == set()


def test_reordering_changes_nothing(rerun):
    config = rerun / "tiny.yaml"
    models = re.search(r"models: \[(.*)\]", config.read_text())[1]
    edit(config, models, ", ".join(reversed(models.split(", "))))
    card = rerun / "resources/models/tiny_untrained.yaml"
    blocks = re.split(r"^(?=\w)", card.read_text(), flags=re.MULTILINE)
    card.write_text("".join(reversed(blocks)))
    assert rerunning(rerun) == set()


def test_an_edit_in_the_gram_matrix_reruns_what_imports_it(rerun):
    edit(rerun / "scripts/cortexrsa/geometry/gram.py", "CHUNK_BYTES = 32", "CHUNK_BYTES = 16")
    models = ("tiny_resnet18", "tiny_simclr", "tiny_vae", "tiny_untrained", "pixels")
    # ceilings make RDMs of halves of the repeats; activations and training do not depend on it
    expected = {"tiny/rdms/brain.h5", "tiny/rdms/voxels.h5", "tiny/ceilings.csv"} | AGGREGATES | RECOVERY
    expected |= {"tiny/confounds.h5", "tiny/confounds.csv"}
    expected |= {path for model in models for path in jobs_of(model) if "activations" not in path}
    assert rerunning(rerun) == expected


def test_an_edit_in_a_figure_module_redraws_its_figures(rerun):
    edit(rerun / "scripts/cortexrsa/figures/quality.py", '"reliability of the mean"', '"reliability"')
    reliability = {f"tiny/figures/reliability.{suffix}" for suffix in FILES}
    redrawn = LEARNING - {"tiny/learning.csv"} | STIMULI | INPUTS - {"tiny/inputs.nc"}
    assert rerunning(rerun) == redrawn | reliability


def test_an_edit_in_the_inference_settings(rerun):
    edit(rerun / "tiny.yaml", "ceiling_splits: 4", "ceiling_splits: 5")
    affected = {"tiny/ceilings.csv", "tiny/claims.csv", "tiny/profiles.csv", "tiny/reliability.csv"}
    affected |= {figure for figure in FIGURES if not re.search("rdms|mds", figure)}
    affected |= {f"tiny/figures/reliability.{suffix}" for suffix in FILES}
    assert rerunning(rerun) == affected | COMPARISONS | RECOVERY


def test_the_rule_of_a_comparison_makes_nothing_but_comparisons(rerun):
    edit(rerun / "scripts/cortexrsa/inference/contrasts.py", "LEAST_DOF = 20", "LEAST_DOF = 21")
    redrawn = {f"tiny/figures/comparisons.{suffix}" for suffix in FILES}
    assert rerunning(rerun) == COMPARISONS | redrawn


def test_more_seeds_of_a_network_make_theirs_and_leave_the_first(rerun):
    path = rerun / "resources/models/tiny_untrained.yaml"
    path.write_text(path.read_text() + "seeds: 3\n")
    drawn = (LEARNING | INPUTS) - {"tiny/learning.csv", "tiny/inputs.nc"}
    assert rerunning(rerun) == jobs_of("tiny_untrained@2") | jobs_of("tiny_untrained@3") | AGGREGATES | drawn


def test_another_glm_leaves_stimuli_and_networks_alone(rerun):
    (rerun / "tiny.yaml").write_text((rerun / "tiny.yaml").read_text() + "glm: {hrf: glover}\n")
    affected = rerunning(rerun)
    assert {"tiny/glm/sub-01_betas.nc", "tiny/responses.nc", "tiny/scores.csv"} | RECOVERY <= affected
    assert not any(re.search("bids|stimuli|activations|networks|truth", path) for path in affected)


def test_a_network_removed_reruns_the_aggregates_alone(rerun):
    edit(rerun / "tiny.yaml", ", pixels]", "]")
    assert rerunning(rerun) == AGGREGATES | LEARNING - {"tiny/learning.csv"} | INPUTS


def test_a_network_added_runs_it_and_the_aggregates(rerun):
    edit(rerun / "tiny.yaml", ", pixels]", ", pixels, gabor]")
    expected = jobs_of("gabor") | AGGREGATES | LEARNING - {"tiny/learning.csv"} | INPUTS
    assert rerunning(rerun) == expected


def test_shards_change_the_extraction_jobs_and_no_number(rerun):
    """Three jobs a network instead of one; the RDMs are the same."""
    path = rerun / "resources/datasets/tiny.yaml"
    path.write_text(path.read_text() + "shards: 3\n")
    models = ("tiny_resnet18", "tiny_simclr", "tiny_vae", "tiny_untrained", "pixels")
    shards = {f"tiny/activations/{model}/{k}-of-3" for model in models for k in (1, 2, 3)}
    later = {path for model in models for path in jobs_of(model) if "activations" not in path}
    assert rerunning(rerun) == shards | later | AGGREGATES
    target = place(rerun, "tiny/rdms/tiny_untrained.h5")
    before = read_rdms(rerun / target)
    made(rerun, *TINY, "--", target)
    after = read_rdms(rerun / target)
    # so few stimuli cut a batch in two, and convolutions of another batch size may round otherwise
    np.testing.assert_allclose(after.dissimilarities, before.dissimilarities, rtol=0, atol=1e-5)


def test_keeping_activations_or_not_changes_no_result(rerun):
    (rerun / "tiny.yaml").write_text((rerun / "tiny.yaml").read_text() + "keep_activations: false\n")
    assert rerunning(rerun) == set()


def test_git_checkout_of_the_same_content_reruns_nothing(rerun):
    def git(*arguments):
        identity = ("-c", "user.name=t", "-c", "user.email=t@example.org")
        subprocess.run(["git", *identity, *arguments], cwd=rerun, check=True, capture_output=True)

    git("init")
    git("add", "Snakefile", "config.yaml", "tiny.yaml", "rules", "scripts", "resources", "envs", "profiles")
    git("commit", "-m", "all")
    for part in ("scripts", "rules", "resources"):
        git("rm", "-r", "--quiet", "--cached", part)
        subprocess.run(["rm", "-r", part], cwd=rerun, check=True)
        git("checkout", "HEAD", "--", part)
    assert rerunning(rerun) == set()


def test_a_killed_training_goes_on_from_its_checkpoint(project):
    """SIGKILL of the job and of Snakemake in a training; the next run ends with the same bytes."""
    recipe = project / "resources/models/tiny_simclr.yaml"
    edit(recipe, "images_seen: 96", "images_seen: 1920")
    target = "results/networks/tiny_simclr/weights.safetensors"
    command = [sys.executable, "-m", "snakemake", "--cores", "1", *TINY, "--", target]
    folder = project / "results/networks/tiny_simclr/checkpoint"
    run = subprocess.Popen(
        command, cwd=project, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    while not list(folder.glob("*/last.ckpt")):
        assert run.poll() is None, "the training was through before it could be killed"
        time.sleep(0.01)
    os.killpg(run.pid, signal.SIGKILL)
    run.wait()
    assert not (project / target).exists()
    assert snakemake(project, "--unlock", *TINY).returncode == 0
    again = snakemake(project, *TINY, "--", target)
    assert again.returncode == 0, again.stderr[-3000:]
    log = (project / "results/logs/train/tiny_simclr.log").read_text()
    assert re.search(r"going on from step \d+ of 120", log)
    assert not folder.exists()
    broken = (project / target).read_bytes()
    (project / target).unlink()
    assert snakemake(project, *TINY, "--", target).returncode == 0
    assert (project / target).read_bytes() == broken


def test_a_variant_has_the_weights_of_its_network(rerun):
    edit(rerun / "tiny.yaml", "tiny_simclr, ", "tiny_simclr, dense, ")
    card = "variant_of: tiny_resnet18\nlabel: Dense\npreprocessing: {pixels_per_degree: 8.1}\n"
    (rerun / "resources/models/dense.yaml").write_text(card)
    assert "tiny.yaml: degrees: found nothing, expected the visual angle" in refused(rerun, *TINY, "-n")
    edit(rerun / "resources/datasets/tiny.yaml", "loader:", "degrees: 6\nloader:")
    # nothing is trained, and the other networks stay as they are
    found = jobs_of("dense") | AGGREGATES | INPUTS | (LEARNING - {"tiny/learning.csv"})
    assert rerunning(rerun) == found
    made(rerun, *TINY, "--", place(rerun, "tiny/rdms/dense.h5"), place(rerun, "tiny/inputs.nc"))
    record = json.loads(at(rerun, "tiny/activations/dense/1-of-1/layers.tsv.json").read_text())
    assert record["settings"]["preprocessing"]["size"] == 49
    weights = "networks/tiny_resnet18/weights.safetensors"
    assert any(path.endswith(weights) for path in record["inputs"])
    # a study of the variant alone trains its network
    edit(rerun / "tiny.yaml", "[tiny_resnet18, tiny_simclr, dense,", "[tiny_simclr, dense,")
    edit(rerun / "tiny.yaml", "task_optimised: [tiny_resnet18]", "task_optimised: [dense]")
    (rerun / "results" / weights).unlink()
    assert {weights, "tiny/rsa/dense.nc"} <= rerunning(rerun)
