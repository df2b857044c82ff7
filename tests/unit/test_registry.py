"""The registry of dissimilarities and comparisons is what schema, docs and kernels know."""

import re
from pathlib import Path

import pytest
import yaml

from cortexrsa.geometry.descriptors import DESCRIPTORS
from cortexrsa.geometry.rdm import KERNELS
from cortexrsa.geometry.registry import COMPARISONS, DISSIMILARITIES, MEASURES, UNITS
from cortexrsa.inference import influence, similarity
from cortexrsa.inference.claims import words
from cortexrsa.inference.settings import STANDARD_ERRORS, Settings
from cortexrsa.studies import GRAM_MEASURES, VOXEL_MEASURES

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    ("field", "registry"),
    [("dissimilarity", DISSIMILARITIES), ("comparison", COMPARISONS), ("units", UNITS)],
)
def test_schema_allows_what_the_registry_holds(field, registry):
    schema = yaml.safe_load((ROOT / "resources/schemas/config.schema.yaml").read_text())
    assert set(schema["properties"]["measures"]["properties"][field]["enum"]) == set(registry)


def test_other_measures_are_those_of_the_registry():
    schema = yaml.safe_load((ROOT / "resources/schemas/config.schema.yaml").read_text())
    others = schema["properties"]["measures"]["properties"]["others"]
    assert others["items"]["enum"] == list(MEASURES)
    claims = yaml.safe_load((ROOT / "resources/schemas/claims.schema.yaml").read_text())
    assert claims["$defs"]["measure"]["enum"] == ["rsa", "encoding", *MEASURES] == list(words.MEASURES)
    assert not any("$" in text for text in words.MEASURES.values())
    assert list(GRAM_MEASURES) == [name for name, record in MEASURES.items() if record.grams]
    assert list(VOXEL_MEASURES) == [name for name, record in MEASURES.items() if record.responses]
    confounds = schema["$defs"]["confound"]["allOf"][0]["then"]["enum"]
    assert confounds == list(DESCRIPTORS)


def test_docs_list_every_measure_and_confound():
    rows = (ROOT / "docs/measures.md").read_text().splitlines()
    for name, record in MEASURES.items():
        assert f"| `{name}` | {record.meaning} | {record.scale} | {record.errors} |" in rows
    for name, record in DESCRIPTORS.items():
        assert f"| `{name}` | {record.meaning} |" in rows


def test_docs_list_every_dissimilarity():
    rows = (ROOT / "docs/statistics.md").read_text().splitlines()
    for name, record in DISSIMILARITIES.items():
        assert f"| `{name}` | {record.meaning} | {record.needs} | `{record.of_layers}` |" in rows


def test_docs_list_all_units():
    rows = (ROOT / "docs/statistics.md").read_text().splitlines()
    for name, meaning in UNITS.items():
        assert f"| `{name}` | {meaning} |" in rows


def test_docs_list_every_comparison():
    rows = (ROOT / "docs/statistics.md").read_text().splitlines()
    for name, record in COMPARISONS.items():
        assert f"| `{name}` | {record.meaning} | {'yes' if record.ties else 'no'} |" in rows


def test_every_record_has_its_kernel():
    assert set(KERNELS) == {name for name, record in DISSIMILARITIES.items() if record.needs == "patterns"}
    assert {record.of_layers for record in DISSIMILARITIES.values()} <= set(KERNELS)
    kernels = {record.kernel for record in COMPARISONS.values()}
    assert kernels == set(influence.KERNELS) == set(similarity.KERNELS)


def test_what_records_cite_is_in_the_library_of_references():
    library = (ROOT / "resources/report/references.bib").read_text()
    records = [*COMPARISONS.values(), *DISSIMILARITIES.values()]
    cited = {key for record in records for key in record.references}
    assert cited == {"schutt2023", "diedrichsen2020", "walther2016"}
    assert cited <= set(re.findall(r"^@\w+\{([^,]+),", library, re.MULTILINE))


def test_settings_are_those_of_the_schema():
    schema = yaml.safe_load((ROOT / "resources/schemas/config.schema.yaml").read_text())
    fields = schema["properties"]["inference"]["properties"]
    assert fields["standard_error"]["enum"] == list(STANDARD_ERRORS)
    # of other jobs than those that score
    others = {"threads", "unequal_noise"}
    defaults = {name: field["default"] for name, field in fields.items() if name not in others}
    # that of a data set's card
    of_card = {"subject_effect", "unit", "categories"}
    assert defaults == {name: getattr(Settings(), name) for name in Settings.names() if name not in of_card}
