"""What typical edits of the library rerun: the scripts whose fingerprints they change, held as lists.

Where a list here grows, a job hangs on code that it does not use: cut the import rather than the expectation.
Scripts that run later because their inputs are new are not listed.
"""

import ast
import functools
import re
from pathlib import Path

import pytest

from cortexrsa import code

ROOT = Path(__file__).resolve().parents[2]
LIBRARY = ROOT / "scripts/cortexrsa"
# those of the rules; a person runs the others
RULES = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "rules").rglob("*.smk"))
SCRIPTS = sorted(set(re.findall(r'"\.\./scripts/(\w+)\.py"', RULES)))
PLOTS = {script for script in SCRIPTS if script.startswith("plot_")}
# the study of the method reruns with the method
RECOVERY = {"recovery", "plot_recovery"}


def edited(source: str) -> str:
    """A module that does something else than before."""
    return source + "\nEDITED = True\n"


def _error_calls(node: ast.AST) -> list[ast.Call]:
    return [
        call
        for call in ast.walk(node)
        if isinstance(call, ast.Call) and getattr(call.func, "id", None) == "InputError"
    ]


def _messages(function: ast.AST) -> set[str]:
    """Names of a function that are loaded in the arguments of errors alone."""
    told = {id(node): node.id for call in _error_calls(function) for node in _names(call)}
    return set(told.values()) - {node.id for node in _names(function) if id(node) not in told}


def _names(node: ast.AST) -> list[ast.Name]:
    return [part for part in ast.walk(node) if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Load)]


class _Reword(ast.NodeTransformer):
    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.FunctionDef:
        names = _messages(node)
        for part in ast.walk(node):
            if isinstance(part, ast.Assign) and getattr(part.targets[0], "id", None) in names:
                for text in ast.walk(part.value):
                    if isinstance(text, ast.Constant) and isinstance(text.value, str) and " " in text.value:
                        text.value = f"other words, {text.value}"
        return self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> ast.Call:
        self.generic_visit(node)
        name = getattr(node.func, "id", None)
        if name == "InputError":
            node.args = [ast.Constant("other words"), *reversed(node.args)]
        elif name in ("Column", "Table"):
            node.args, node.keywords = node.args[:1] + node.args[1:2] * (name == "Table"), []
        return node


def reworded(source: str) -> str:
    """A module whose errors and columns say something else."""
    tree = ast.parse(source)
    return ast.unparse(_Reword().visit(tree))


python_files = functools.cache(code.python_files)


@functools.cache
def as_it_is() -> dict[str, str]:
    return {script: code.fingerprint(f"scripts/{script}.py", ROOT) for script in SCRIPTS}


def rerun_by(monkeypatch, module: str, change) -> set[str]:
    """Scripts whose fingerprints change with a module of the library."""
    before = as_it_is()
    changed = LIBRARY / module
    source = changed.read_text(encoding="utf-8")
    after_change = change(source)
    assert after_change != ast.unparse(ast.parse(source))
    parse = code._parse

    def parse_overlay(path: Path, content: bytes):
        return parse(path, after_change.encode() if path == changed else content)

    monkeypatch.setattr(code, "_parse", parse_overlay)
    # no file comes or goes
    monkeypatch.setattr(code, "python_files", python_files)
    after = {script: code.fingerprint(f"scripts/{script}.py", ROOT) for script in SCRIPTS}
    return {script for script in SCRIPTS if before[script] != after[script]}


@pytest.mark.parametrize(
    "module",
    [
        "formats/rdms.py",
        "formats/stimuli.py",
        "formats/arrays.py",
        "formats/tables.py",
        "formats/images.py",
        "brain/responses.py",
        "brain/assembly.py",
        "brain/glm.py",
        "geometry/regions.py",
        "networks/training.py",
        "networks/extraction.py",
        "networks/weights.py",
        "networks/corpora.py",
        "networks/build.py",
        "brain/loaders/kay.py",
        "downloads.py",
        "cards.py",
        "formats/columns/scores.py",
        "formats/columns/stimuli.py",
    ],
)
def test_words_of_errors_and_columns_rerun_nothing(monkeypatch, module):
    assert re.search(r"(InputError|Column)\(", (LIBRARY / module).read_text())
    assert rerun_by(monkeypatch, module, reworded) == set()


@pytest.mark.parametrize(
    "module",
    ["errors.py", "jobs.py", "code.py", "words.py", "cards.py", "schemas.py", "studies.py", "plan.py"],
)
def test_what_computes_nothing_reruns_nothing(monkeypatch, module):
    assert rerun_by(monkeypatch, module, edited) == set()


EDITS = {
    # a claim's text or rule
    "inference/claims/evaluate.py": {"guided_recovery"}
    | {"claims", "power", "calibrate_low_level"}
    | RECOVERY,
    "inference/claims/verdicts.py": {"guided_recovery"}
    | {"claims", "power", "calibrate_bounds", "calibrate_low_level"}
    | RECOVERY,
    "inference/profile_table.py": {"claims"},
    "claim_names.py": {"guided_recovery"}
    | {
        *("claims", "power", "calibrate_regions", "calibrate_bounds", "calibrate_low_level"),
    }
    | RECOVERY,
    # how files of claims are read, of which jobs see the content
    "claim_files.py": set(),
    "registration.py": set(),
    "figures/claims.py": {"plot_claims"},
    "figures/style.py": PLOTS | {"encoding_maps"},
    # HTTP, retries, mirrors
    "downloads.py": {"fetch"},
    # the formats: their readers and writers
    "formats/rdms.py": {"guided"}
    | {"guided_recovery"}
    | {
        *("read_rdm_dataset", "brain_rdms", "voxel_rdms", "network_rdms", "rsa", "ceilings"),
        "beta_recovery",
        *("calibration", "calibration_truth", "power", "plot_geometry"),
        *("calibrate_comparisons", "calibrate_designs", "calibrate_regions", "confounds", "measures"),
        "calibrate_low_level",
    }
    | RECOVERY,
    "formats/activations.py": {"extract", "network_rdms", "encoding", "banded", "soft_matching"},
    # the columns of a table
    "formats/columns/scores.py": {"scores", "claims", "plot_scores", "plot_geometry"},
    "formats/columns/corpus.py": {"robustness"}
    | {"corpus", "index_corpus", "hash_corpus", "train", "train_guided"},
    "formats/columns/metrics.py": {"train", "train_guided", "learning", "plot_learning"},
    "formats/columns/design.py": {"glm", "plot_bold"},
    # raw data: their readers
    "brain/loaders/kay.py": {"read_kay"},
    "brain/loaders/rdms.py": {"read_rdm_dataset"},
    "brain/simulated/bold.py": {"simulate"},
    "brain/simulated/settings.py": {"simulate"},
    "brain/simulated/streams.py": {"simulate"},
    # the simulated BOLD is made with the regressors that recover it
    "brain/glm.py": {"glm", "simulate"},
    "brain/settings.py": {"glm", "simulate"},
    "brain/betas.py": {"glm"},
    # the one path of all loaders of responses
    "brain/assembly.py": {"responses", "read_kay", "read_responses"},
    "brain/loaders/responses.py": {"read_responses"},
    "brain/loaders/responses_values.py": {"read_responses"},
    "brain/loaders/responses_rois.py": {"read_responses"},
    "brain/loaders/responses_trials.py": {"read_responses", "read_responses_stimuli"},
    "brain/loaders/responses_stimuli.py": {"read_responses_stimuli"},
    "brain/loaders/responses_images.py": {"read_responses_stimuli"},
    "brain/loaders/bids_folder.py": {"read_bids_stimuli", "glm"},
    "brain/loaders/bids_stimuli.py": {"read_bids_stimuli"},
    "formats/images.py": {"robustness"}
    | {
        *("read_bids_stimuli", "read_rdm_dataset", "read_responses_stimuli"),
        *("train", "train_guided", "hash_corpus"),
    },
    # networks
    "formats/padding.py": {"guided_recovery"}
    | {"robustness"}
    | {
        *("train", "train_guided", "extract", "network_inputs", "confounds", "calibrate_low_level"),
    },
    "networks/augmentation.py": {"train", "train_guided"},
    "networks/objectives.py": {"robustness"} | {"train", "train_guided"},
    # networks that are trained without the brain do not know of it
    "guidance/training.py": {"train_guided"},
    "guidance/losses.py": {"guided_recovery"} | {"train_guided"},
    "guidance/targets.py": {"guided_recovery"} | {"train_guided"},
    "guidance/stimuli.py": {"train_guided"},
    "guidance/leaks.py": {"train_guided", "hash_corpus"},
    "guidance/choice.py": {"train_guided"},
    "formats/columns/guidance.py": {"guided", "train_guided", "guided_recovery"}
    # layers are chosen on stimuli that a guided network was not fitted to
    | {"rsa", "measures", "encoding"},
    "formats/columns/choice.py": {"train_guided"},
    "guided_cards.py": set(),
    "networks/extraction.py": {"extract"},
    "networks/corpora.py": {"corpus", "index_corpus"},
    "networks/procedural.py": {"corpus"},
    # geometry and inference
    "geometry/layers.py": {"network_rdms"},
    "encoding/fits.py": {"guided_recovery"} | {"encoding", "banded", "calibrate_encoding"},
    "encoding/table.py": {"encoding_table", "encoding_maps"},
    "encoding/voxels.py": {"guided_recovery"} | {"encoding", "banded", "calibrate_encoding"},
    "encoding/matching.py": {"soft_matching"},
    "encoding/matching_network.py": {"soft_matching"},
    "geometry/ranks.py": {"guided"}
    | {"guided_recovery"}
    | {
        *("rsa", "ceilings", "beta_recovery", "calibration", "calibration_truth", "power", "plot_geometry"),
        *("calibrate_comparisons", "calibrate_designs", "calibrate_regions", "confounds", "measures"),
        *("calibrate_bounds", "calibrate_low_level"),
    }
    | RECOVERY,
    "inference/scores.py": {"guided", "guided_recovery"}
    | {"rsa", "calibrate_designs", "calibrate_regions"}
    | RECOVERY,
    "inference/against_zero.py": {"guided"}
    | {"guided_recovery"}
    | {
        "rsa",
        "measures",
        "calibrate_designs",
        "calibrate_regions",
        "calibrate_low_level",
    }
    | RECOVERY,
    "inference/measures.py": {"measures", "calibrate_low_level"},
    "geometry/grams.py": {"measures", "calibrate_low_level"},
    "inference/measure_tables.py": {"measure_tables"},
    "inference/explained_table.py": {"measure_tables"},
    "inference/explained.py": {"measures", "calibrate_low_level"},
    "figures/measures.py": {"plot_measures"},
    "formats/columns/measures.py": {"measure_tables", "plot_measures"},
    "inference/partial.py": {"measures", "calibrate_low_level"},
    "inference/results.py": {"guided"}
    | {"guided_recovery"}
    | {
        "rsa",
        "measures",
        "soft_matching",
        "calibrate_designs",
        "calibrate_regions",
        "calibrate_low_level",
    }
    | RECOVERY,
    "geometry/descriptors.py": {"confounds", "calibrate_low_level"},
    "inference/score_table.py": {"scores", "measure_tables"},
    "inference/ceilings/table.py": {"ceilings"},
    "inference/ceilings/repeats.py": {"ceilings", "calibrate_bounds"},
    "figures/ceilings.py": {"plot_scores", "plot_comparisons"},
    "validation/bounds.py": {"calibrate_bounds"},
    "validation/folds.py": {"calibrate_folds"},
    "inference/ceilings/primary.py": {"guided_recovery"}
    | {
        *("claims", "power", "comparisons", "plot_comparisons", "plot_scores", "calibrate_low_level"),
    }
    | RECOVERY,
    # networks compared with each other: nothing but the tables and their figure
    "inference/comparisons.py": {"comparisons"},
    "figures/comparisons.py": {"plot_comparisons"},
    "inference/contrasts.py": {"comparisons", "calibrate_comparisons"},
    "formats/columns/comparisons.py": {"comparisons", "plot_comparisons"},
    "validation/comparisons.py": {"calibrate_comparisons"},
    "validation/regions.py": {"calibrate_regions"},
    # scores without groups of voxels, and what they add to errors
    "geometry/voxel_groups.py": {"voxel_rdms", "calibrate_regions"} | RECOVERY,
    "inference/shared.py": {"guided", "guided_recovery"}
    | {"rsa", "calibrate_designs", "calibrate_regions"}
    | RECOVERY,
    "inference/scores_without.py": {"guided"}
    | {"guided_recovery"}
    | {"rsa", "calibrate_designs", "calibrate_regions"}
    | RECOVERY,
    "validation/calibration.py": {"calibration", "calibration_truth"},
    "validation/power.py": {"power"},
    "validation/designs.py": {"calibrate_designs"},
    # what training with the brain gains
    "inference/guided.py": {"guided"},
    "inference/held_out.py": {"guided"},
    "inference/set_apart.py": {"rsa", "measures", "guided", "guided_recovery"},
    "inference/stimuli_apart.py": {"rsa", "measures", "encoding", "guided", "guided_recovery"},
    "inference/claims/guided.py": {"claims", "power", "calibrate_low_level", "guided_recovery"} | RECOVERY,
    "networks/robustness.py": {"robustness"},
    "formats/columns/guided.py": {"guided", "plot_guided"},
    "formats/columns/robustness.py": {"robustness", "guided"},
    "figures/guided.py": {"plot_guided"},
    "validation/guided.py": {"guided_recovery"},
    "validation/guided_summary.py": {"plot_guided_recovery"},
    "brain/label_correlation.py": {"reliability"},
}


@pytest.mark.parametrize("module", EDITS)
def test_an_edit_reruns_those_that_use_it(monkeypatch, module):
    assert rerun_by(monkeypatch, module, edited) == EDITS[module]


def test_how_results_are_written_reruns_all(monkeypatch):
    assert rerun_by(monkeypatch, "storage.py", edited) == set(SCRIPTS)
    assert rerun_by(monkeypatch, "__init__.py", edited) == set(SCRIPTS)


# hours each, of a large study
EXPENSIVE = {"train", "extract", "glm", "simulate", "fetch", "rsa"}


@pytest.mark.parametrize(
    ("folder", "spared"),
    [
        ("figures", EXPENSIVE),
        ("validation", EXPENSIVE),
        ("inference", EXPENSIVE - {"rsa"}),
        ("geometry", EXPENSIVE - {"rsa"}),
        ("networks", EXPENSIVE - {"train", "extract"}),
        ("brain", EXPENSIVE - {"glm", "simulate"}),
    ],
)
def test_no_edit_of_a_room_reruns_the_expensive_jobs_of_another(folder, spared):
    # of all modules of the room at once: what each script reads
    for script in spared:
        read = code.local_files(f"scripts/{script}.py", ROOT)
        assert not [name for name in read if name.startswith(f"cortexrsa/{folder}/")], script
