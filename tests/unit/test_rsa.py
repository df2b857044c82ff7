"""From simulated responses to scores, ceilings and verdicts, with the truth known."""

import functools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from cortexrsa.claim_files import load_claims
from cortexrsa.claim_names import Cast
from cortexrsa.errors import InputError
from cortexrsa.formats.rdms import RDMs, read_rdms, write_rdms
from cortexrsa.geometry.layers import network_rdms
from cortexrsa.geometry.rdm import rdm
from cortexrsa.geometry.regions import brain_rdms
from cortexrsa.geometry.registry import COMPARISONS, DISSIMILARITIES
from cortexrsa.inference import against_zero
from cortexrsa.inference import scores as inference_scores
from cortexrsa.inference.ceilings.primary import primary_ceilings
from cortexrsa.inference.ceilings.table import ceiling_table
from cortexrsa.inference.claims.evaluate import evaluate
from cortexrsa.inference.claims.study import Study
from cortexrsa.inference.names import GROUP
from cortexrsa.inference.profile_table import summarise
from cortexrsa.inference.score_table import score_table
from cortexrsa.inference.scores import score_network
from cortexrsa.inference.settings import STANDARD_ERRORS, Settings
from cortexrsa.inference.study import model_scores
from simulated_world import simulate

ROOT = Path(__file__).resolve().parents[2]
FIRST_RULES = {"original_study_v1": load_claims("original_study_v1", ROOT)}
CLAIMS = [claim["id"] for claim in FIRST_RULES["original_study_v1"]["claims"]]
PLAYERS = {
    "task_optimised": ["first", "second"],
    "generative": "vae",
    "self_supervised": "ssl",
    "untrained": "untrained",
}
INFERENCE = Settings(bootstrap=60, permutations=99, halves=3, ceiling_splits=6)


def experiment(reliability=0.9, area="lo", subjects=1):
    """Images, table and responses, of which each test has a copy of its own."""
    images, table, responses = simulated(reliability, area, subjects)
    return images.copy(), table.copy(), responses.copy()


@functools.cache
def simulated(reliability, area, subjects):
    return simulate(
        {
            "rois": {
                "V1": {"voxels": 60, "area": "v1", "reliability": reliability},
                "LO": {"voxels": 60, "area": area, "reliability": reliability},
            },
            "train": 30,
            "test": 40,
            "train_repeats": 2,
            "test_repeats": 6,
            "size": 32,
            "subjects": subjects,
            "seed": 5,
        }
    )


def network_of(features: list[np.ndarray], patterns: pd.DataFrame) -> RDMs:
    layers = pd.DataFrame(
        {
            "layer": [f"layer{k}" for k in range(len(features))],
            "layer_index": range(len(features)),
            "depth": np.linspace(0, 1, len(features)),
        }
    )
    return RDMs(np.stack([rdm(f) for f in features]), layers, patterns, "correlation")


def roi_features(responses, roi):
    average = responses.mean("repeat").isel(voxel=(responses["roi"] == roi).to_numpy())
    return average.transpose("stimulus", "voxel").to_numpy().astype(np.float64)


def study_of(results, brain, responses):
    return Study(
        models={name: model_scores(result, INFERENCE.seed) for name, result in results.items()},
        rois=list(next(iter(results.values()))["roi"].to_numpy()),
        ceilings=primary_ceilings(ceiling_table(brain, responses, "sim", "spearman", INFERENCE)),
        cast=Cast({}, PLAYERS, {"early": "V1", "late": "LO"}),
        confidence=0.95,
    )


def test_without_noise_the_generating_features_reach_the_ceiling_in_their_roi():
    _, _, responses = experiment(reliability=1.0)
    brain = brain_rdms(responses, "correlation")
    network = network_of(
        [roi_features(responses, "V1"), roi_features(responses, "LO")], brain.pattern_descriptors
    )
    table = score_table(
        {"truth": score_network(network, brain, "spearman", INFERENCE)}, "sim", "spearman", INFERENCE
    )
    scores = table[table["split"] == "test"].pivot(index="roi", columns="layer", values="score")
    ceilings = ceiling_table(brain, responses, "sim", "spearman", INFERENCE).set_index(["split", "roi"])
    for layer, roi in (("layer0", "V1"), ("layer1", "LO")):
        assert scores.loc[roi, layer] == pytest.approx(1, abs=1e-9)
        assert ceilings.loc[("test", roi), ["reliability", "attainable"]].tolist() == pytest.approx(
            [1, 1], abs=1e-9
        )
        assert scores[layer].drop(roi).item() < 0.6


def test_a_roi_of_pure_noise_is_untestable():
    _, _, responses = experiment(area="noise")
    brain = brain_rdms(responses, "correlation")
    generator = np.random.default_rng(0)
    truth = roi_features(responses, "V1")
    networks = {
        name: network_of(
            [truth + generator.normal(0, k, truth.shape) for k in (1, 2, 3)], brain.pattern_descriptors
        )
        for name in ("first", "second", "vae", "ssl", "untrained")
    }
    results = {name: score_network(n, brain, "spearman", INFERENCE) for name, n in networks.items()}
    table = evaluate([study_of(results, brain, responses)], FIRST_RULES)
    overall = table[table["statistic"] == "overall"].set_index("claim")
    # every claim rests on LO, which is noise here
    assert list(overall.index) == CLAIMS
    assert (overall["verdict"] == "untestable").all()
    assert overall["reason"].str.contains("no reliable signal in LO").all()


@pytest.mark.slow
def test_shuffled_stimuli_give_uniform_p():
    _, _, responses = experiment()
    brain = brain_rdms(responses, "correlation")
    truth = roi_features(responses, "V1")
    generator = np.random.default_rng(1)
    test = (brain.pattern_descriptors["split"] == "test").to_numpy()
    p = []
    for _ in range(80):
        shuffled = truth.copy()
        shuffled[test] = truth[test][generator.permutation(test.sum())]
        quick = replace(INFERENCE, bootstrap=2, seed=int(generator.integers(1 << 30)))
        result = score_network(network_of([shuffled], brain.pattern_descriptors), brain, "spearman", quick)
        p.append(float(result["p"].sel(unit="sub-01", roi="V1", layer="layer0")))
    assert stats.kstest(p, "uniform").pvalue > 0.01


@pytest.fixture(scope="module")
def several_subjects():
    return experiment(subjects=3)[2].isel(stimulus=slice(0, None, 3))


# every dissimilarity, and every comparison by every kind of error: not all pairs of the former
@pytest.mark.parametrize(
    ("dissimilarity", "comparison", "standard_error"),
    [(name, "spearman", "one-pass") for name in DISSIMILARITIES if name != "correlation"]
    + [
        pytest.param("correlation", name, error, marks=() if error == "one-pass" else pytest.mark.slow)
        for name in COMPARISONS
        for error in STANDARD_ERRORS
    ],
)
def test_every_measure_goes_through_to_the_claims(
    several_subjects, dissimilarity, comparison, standard_error
):
    """Any dissimilarity with any comparison: scores, p, ceilings, fitted layers and all claims."""
    responses = several_subjects
    brain = brain_rdms(responses, dissimilarity)
    quick = {"bootstrap": 12, "permutations": 19, "ceiling_splits": 2, "fitted": True}
    quick["subject_effect"] = "random"  # also of so few
    settings = replace(INFERENCE, standard_error=standard_error, **quick)
    generator = np.random.default_rng(0)
    networks = {}
    for name in ("first", "vae"):
        features = [roi_features(responses, roi)[:, :60] for roi in ("V1", "V1", "LO")]
        noisy = [values + generator.normal(0, values.std(), values.shape) for values in features]
        layers = network_of(noisy, brain.pattern_descriptors)
        layers.dissimilarities = np.stack(
            [rdm(values, DISSIMILARITIES[dissimilarity].of_layers) for values in noisy]
        )
        networks[name] = layers
    results = {name: score_network(each, brain, comparison, settings) for name, each in networks.items()}
    threaded = score_network(networks["vae"], brain, comparison, settings, threads=3)
    assert threaded.identical(results["vae"])
    results |= {"second": results["vae"], "ssl": results["vae"], "untrained": results["first"]}
    table = score_table(results, "sim", comparison, settings)
    test = table[table["split"] == "test"]
    assert test[["score", "se", "ci_low", "ci_high", "p", "p_fwe", "q_fdr"]].notna().all(axis=None)
    # the layers share the ROIs' patterns, so the score is there
    assert test.query("subject == 'group' and roi == 'V1' and layer == 'layer0'")["score"].min() > 0.1
    ceilings = ceiling_table(brain, responses, "sim", comparison, settings)
    # two training repeats are too few for halves of crossnobis
    few = ceilings[(ceilings["kind"] == "split-half") & (ceilings["split"] == "train")]
    assert len(few) == (0 if dissimilarity == "crossnobis" else 6)
    people = ceilings["kind"] == "subjects"
    assert (ceilings["lower"] <= ceilings["attainable"] + 1e-9)[people].all()
    assert (ceilings["attainable"] <= ceilings["upper"] + 1e-9)[people].all()
    repeats = ceilings["kind"] == "split-half"
    assert (ceilings["reliability"] <= ceilings["attainable"] + 1e-9)[repeats].all()
    assert ceilings.loc[repeats, "lower"].isna().all()
    study = Study(
        models={name: model_scores(result, settings.seed) for name, result in results.items()},
        rois=["V1", "LO"],
        ceilings=primary_ceilings(ceilings),
        cast=Cast({}, PLAYERS, {"early": "V1", "late": "LO"}),
        confidence=0.95,
    )
    claims = evaluate([study], FIRST_RULES)
    assert set(claims["claim"]) == set(CLAIMS)
    assert claims["reason"].str.len().min() > 0
    profiles = summarise(study)
    weighted = profiles[profiles["statistic"] == "held-out weighted layers"]
    assert weighted[["estimate", "ci_low", "ci_high"]].notna().all(axis=None)


@pytest.mark.parametrize("splits", ["both", "test"])
def test_rdms_left_in_their_file_give_the_same(several_subjects, splits, monkeypatch, tmp_path):
    """Many stimuli: RDMs are read one at a time, and p follows from moments."""
    responses = several_subjects
    if splits == "test":
        responses = responses.isel(stimulus=(responses["split"] == "test").to_numpy())
    brain = brain_rdms(responses, "correlation")
    features = [roi_features(responses, roi)[:, :20] for roi in ("V1", "LO")]
    network = network_of(features, brain.pattern_descriptors)
    for name, rdms in (("brain", brain), ("network", network)):
        write_rdms(tmp_path / f"{name}.h5", rdms, {})
    settings = replace(INFERENCE, standard_error="one-pass", fitted=True, permutations=4000)
    whole = score_network(network, brain, "spearman", settings)
    for module in (inference_scores, against_zero):
        monkeypatch.setattr(module, "MOST_PERMUTED", 5)
    left = (read_rdms(tmp_path / f"{name}.h5", in_memory=False) for name in ("network", "brain"))
    large = score_network(*left, "spearman", settings)
    for name in ("score", "deviations", "heldout", "heldout_deviations"):
        np.testing.assert_array_equal(large[name], whole[name])
    assert large["null_maximum"].shape == whole["null_maximum"].shape
    np.testing.assert_allclose(large["p"], whole["p"], rtol=0, atol=0.03)
    for level in (0.5, 0.95):
        quantiles = (each["null_maximum"].quantile(level, "permutation") for each in (large, whole))
        np.testing.assert_allclose(*quantiles, rtol=0, atol=0.03)


def test_crossnobis_is_refused_without_single_trials():
    _, _, responses = experiment()
    with pytest.raises(InputError, match=r"^repeats: found 1 trial of .* crossnobis multiplies"):
        brain_rdms(responses.mean("repeat"), "crossnobis")


def test_plain_bootstrap_errors_can_be_asked_for():
    _, _, responses = experiment()
    brain = brain_rdms(responses, "correlation")
    network = network_of([roi_features(responses, "V1")[:, :30]], brain.pattern_descriptors)
    settings = replace(INFERENCE, standard_error="bootstrap")
    result = {"net": score_network(network, brain, "spearman", settings)}
    plain = score_table(result, "sim", "spearman", settings)
    draws = result["net"]["deviations"].sel(split="test", roi="V1", subject="sub-01", layer="layer0")
    assert draws.sizes["replicate"] == 60
    chosen = plain[(plain["split"] == "test") & (plain["roi"] == "V1")]
    assert chosen["se"].item() == pytest.approx(float(draws.std()) * np.sqrt(40 / 39), rel=1e-5)


@pytest.mark.slow
def test_several_subjects_give_a_group():
    _, _, responses = experiment(subjects=4)
    brain = brain_rdms(responses, "correlation")
    network = network_of([roi_features(responses, "V1")[:, :40]], brain.pattern_descriptors)
    random = replace(INFERENCE, subject_effect="random")
    result = score_network(network, brain, "spearman", random)
    table = score_table({"net": result}, "sim", "spearman", random)
    assert set(table["subject"]) == {"sub-01", "sub-02", "sub-03", "sub-04", GROUP}
    test = table[(table["split"] == "test") & (table["roi"] == "V1")].set_index("subject")["score"]
    assert test[GROUP] == pytest.approx(test.drop(GROUP).mean())
    scores = model_scores(result, INFERENCE.seed).scores
    assert scores.subjects == 4
    assert scores.estimate.shape == (2, 1)
    # fewer than five people are taken as they are, and that is said
    few = score_network(network, brain, "spearman", INFERENCE)
    assert model_scores(few, INFERENCE.seed).scores.subjects == 1
    assert few.attrs["caveat"] == "about these 4 people alone (5 are needed to say anything of others)"


def test_layers_are_chosen_on_the_training_stimuli():
    _, _, responses = experiment()
    brain = brain_rdms(responses, "correlation")
    truth = roi_features(responses, "V1")
    test = (brain.pattern_descriptors["split"] == "test").to_numpy()
    generator = np.random.default_rng(2)
    # layer0 is right for the training stimuli, layer1 for the test stimuli
    layers = [truth.copy(), truth.copy()]
    layers[0][test] = generator.normal(size=layers[0][test].shape)
    layers[1][~test] = generator.normal(size=layers[1][~test].shape)
    result = score_network(network_of(layers, brain.pattern_descriptors), brain, "spearman", INFERENCE)
    primary = result["score"].sel(split="test", subject="sub-01", roi="V1")
    heldout = result["heldout"].sel(subject="sub-01", roi="V1", candidate="all")
    assert primary.sel(layer="layer1") > 0.9
    assert float(heldout) == float(primary.sel(layer="layer0"))
    assert float(heldout) < 0.3


def test_stimuli_in_another_order_are_refused():
    _, _, responses = experiment()
    brain = brain_rdms(responses, "correlation")
    network = network_of(
        [roi_features(responses, "V1")], brain.pattern_descriptors.iloc[::-1].reset_index(drop=True)
    )
    with pytest.raises(InputError, match=r"^stimulus_id: found other stimuli or another order"):
        score_network(network, brain, "spearman", INFERENCE)


def test_a_lost_trial_is_named_before_anything_is_scored():
    _, _, responses = experiment()
    v1 = (responses["roi"] == "V1").to_numpy()
    responses[3, :, v1] = 0.0
    stimulus = responses["stimulus_id"].to_numpy()[3]
    with pytest.raises(InputError, match=f"^responses to {stimulus!r}: found a constant .* V1 of sub-01"):
        brain_rdms(responses, "correlation")


def test_a_subject_without_a_roi_is_named():
    _, _, responses = experiment(subjects=2)
    brain = brain_rdms(responses, "correlation")
    lacking = RDMs(
        brain.dissimilarities[:-1],
        brain.rdm_descriptors.iloc[:-1],
        brain.pattern_descriptors,
        brain.dissimilarity_measure,
    )
    network = network_of([roi_features(responses, "V1")], brain.pattern_descriptors)
    with pytest.raises(InputError, match=r"brain RDMs of subject sub-02: found no ROI"):
        score_network(network, lacking, "spearman", INFERENCE)


def test_splits_that_differ_are_refused():
    _, _, responses = experiment()
    brain = brain_rdms(responses, "correlation")
    network = network_of([roi_features(responses, "V1")], brain.pattern_descriptors.assign(split="test"))
    with pytest.raises(InputError, match=r"^split: "):
        score_network(network, brain, "spearman", INFERENCE)


@pytest.mark.parametrize(
    ("spoil", "expected"),
    [
        (lambda a: a.__setitem__((2, 5), np.nan), "activations: found NaN"),
        (lambda a: None, None),
    ],
)
def test_activations_that_are_not_finite_are_refused(tmp_path, spoil, expected):
    features = np.random.default_rng(0).normal(size=(10, 20)).astype(np.float32)
    features[7] = 1.0  # constant: no fault, but no correlation
    spoil(features)
    folder = tmp_path / "1-of-1"
    folder.mkdir()
    np.save(folder / "conv.npy", features)
    (folder / "layers.tsv").write_text("layer\tindex\tdepth\tshape\nconv\t0\t0.0\t20\n")
    pd.DataFrame({"stimulus_id": [f"s{k}" for k in range(10)], "split": "test", "repeats": 1}).to_csv(
        tmp_path / "stimuli.tsv", sep="\t", index=False
    )
    if expected:
        with pytest.raises(InputError, match=expected):
            network_rdms([folder], tmp_path / "stimuli.tsv", "correlation")
    else:
        values = network_rdms([folder], tmp_path / "stimuli.tsv", "correlation").dissimilarities
        assert np.isnan(values).sum() == 9
