"""The explorer: a page of a study and data set to look at layers, regions and stimuli one by one."""

from __future__ import annotations

import base64
import contextlib
import io
import json
from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd
import vl_convert
from PIL import Image
from scipy.stats import rankdata

from cortexrsa.cards import load_card
from cortexrsa.figures.geometry import mean_rdms, of_test_stimuli, stimulus_order
from cortexrsa.figures.measures import label_of
from cortexrsa.figures.style import marked, model_styles, ordered, ordered_rois, over_seeds, told_apart
from cortexrsa.formats.columns.ceilings import CEILINGS
from cortexrsa.formats.columns.layers import LAYERS
from cortexrsa.formats.columns.measures import MEASURES
from cortexrsa.formats.columns.scores import SCORES
from cortexrsa.formats.rdms import read_rdms
from cortexrsa.formats.stimuli import read_stimuli
from cortexrsa.formats.tables import read_table
from cortexrsa.geometry.grams import gram_of, participation_ratio
from cortexrsa.geometry.rdm import select_stimuli
from cortexrsa.inference.ceilings.primary import primary_ceilings
from cortexrsa.inference.names import GROUP, of_the_group
from cortexrsa.report.figures import figure
from cortexrsa.report.templates import rendered
from cortexrsa.storage import atomic_path
from cortexrsa.studies import brain_rdms, features_key, network_rdms
from cortexrsa.user_cache import user_cache

# bytes of all RDMs in the page, so that it stays under 5 MB: of many layers fewer stimuli are shown
RDM_BYTES = 2_500_000
THUMBNAIL = 32  # pixels
# stimuli at most: a WebP image has at most 16383 pixels to a side
MOST_STIMULI = 16383 // THUMBNAIL


def _scores(folder: Path) -> pd.DataFrame:
    """Scores by every measure, of the group where there is one; RSA alone where nothing else was measured."""
    path = folder / "measures.csv"
    if not path.is_file():
        return of_the_group(read_table(folder / "scores.csv", SCORES)).assign(
            measure="rsa", dimensionality=np.nan
        )
    table = read_table(path, MEASURES)
    grouped = table["subject"] == GROUP
    return table[grouped | ~table["roi"].isin(table.loc[grouped, "roi"])]


def rows(
    folder: Path,
    shapes: dict[tuple[str, str], str],
    models: dict[str, dict],
    dimensions: dict[tuple[str, str], float] | None = None,
) -> list[dict]:
    """What the charts show: a row for each measure, region, network and layer; seeds of a network are one.

    Parameters
    ----------
    folder : of the results of the study and data set
    shapes : of a layer's output by network and layer
    models : label and family by name, in their order
    dimensions : effective dimensions of a layer's RDM by network and layer, where no measure tells them
    """
    dimensions = dimensions or {}
    bounds = primary_ceilings(read_table(folder / "ceilings.csv", CEILINGS))
    place = ("measure", "model", "roi", "layer")
    table = over_seeds(_scores(folder), place=place)
    table = table[table["model"].isin(models) & np.isfinite(table["score"])]
    found = []
    for row in table.itertuples():
        measured = row.dimensionality if row.dimensionality > 0 else np.nan
        effective = measured if measured > 0 else dimensions.get((row.model, row.layer), np.nan)
        best = bounds.get(row.roi, {}).get("attainable", np.nan) if row.measure == "rsa" else np.nan
        found.append(
            {
                **{name: getattr(row, name) for name in place},
                **{name: _known(getattr(row, name)) for name in ("depth", "score", "ci_low", "ci_high")},
                "label": models[row.model]["label"],
                "attainable": _known(best),
                "shape": shapes.get((row.model, row.layer), ""),
                "dimensionality": round(effective, 1) if np.isfinite(effective) else None,
            }
        )
    return found


def packed(found: list[dict]) -> dict[str, dict]:
    """Rows column by column, each value once, so that many of them take little room.

    Examples
    --------
    >>> packed([{"roi": "V1", "score": 0.5}, {"roi": "V1", "score": None}])
    {'roi': {'values': ['V1'], 'codes': [0, 0]}, 'score': {'values': [0.5, None], 'codes': [0, 1]}}
    """
    columns = {}
    for name in found[0] if found else ():
        values = dict.fromkeys(row[name] for row in found)
        code = {value: k for k, value in enumerate(values)}
        columns[name] = {"values": list(values), "codes": [code[row[name]] for row in found]}
    return columns


def _known(value: float) -> float | None:
    """A number as JSON has it, which knows none that is not finite."""
    return round(value, 4) if np.isfinite(value) else None


def shapes_of(config: dict, dataset: str, models: dict, results: Path) -> dict[tuple[str, str], str]:
    """Shape of the output of every layer whose activations are there."""
    found = {}
    for model in models:
        folder = results / dataset / "activations" / features_key(config) / model
        for path in sorted(folder.glob("*/layers.tsv"))[:1]:
            table = read_table(path, LAYERS)
            found |= {(model, row.layer): row.shape for row in table.itertuples()}
    return found


def _bytes(rdm: np.ndarray, chosen: np.ndarray) -> str:
    """Ranks of the dissimilarities of some stimuli, as base64 of a byte each; 255 is the largest."""
    part = select_stimuli(rdm[None], chosen)[0]
    if not np.isfinite(part).all():
        return ""
    ranks = np.round(255 * (rankdata(part) - 1) / max(len(part) - 1, 1)).astype(np.uint8)
    return base64.b64encode(ranks.tobytes()).decode()


def _chosen(count: int, room: int) -> np.ndarray:
    """Mask (count,) of the stimuli to show: all, or as many as there is room for, evenly spaced."""
    shown = min(count, room, MOST_STIMULI)
    chosen = np.zeros(count, bool)
    chosen[np.linspace(0, count - 1, shown).astype(int)] = True
    return chosen


def _order(labels: pd.Series) -> list[int]:
    """Places of stimuli sorted by a label: numbers by their size, text by letters, missing labels last."""
    values = labels if pd.api.types.is_numeric_dtype(labels) else labels.astype(str).where(labels.notna())
    return values.reset_index(drop=True).sort_values(kind="stable").index.tolist()


def _embedded(content: dict) -> str:
    """JSON to stand in a script element, which no text in it can end or comment out."""
    return json.dumps(content, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")


def _sprite(images: np.ndarray) -> str:
    """Thumbnails of images (k, height, width, 3) uint8 in a row, as a data address."""
    row = Image.new("RGB", (THUMBNAIL * len(images), THUMBNAIL), "white")
    for k, image in enumerate(images):
        thumbnail = Image.fromarray(image)
        thumbnail.thumbnail((THUMBNAIL, THUMBNAIL))
        left = THUMBNAIL * k + (THUMBNAIL - thumbnail.width) // 2
        row.paste(thumbnail, (left, (THUMBNAIL - thumbnail.height) // 2))
    buffer = io.BytesIO()
    row.save(buffer, "WEBP", quality=70)
    return "data:image/webp;base64," + base64.b64encode(buffer.getvalue()).decode()


def geometry(
    config: dict, dataset: str, card: dict, models: dict, results: Path
) -> tuple[dict, dict[tuple[str, str], float]]:
    """RDMs of regions and layers over the test stimuli, or as many of them as the page has room for.

    Returns
    -------
    geometry : stimuli (ids), shown (how many of how many), rdms (name -> base64), orders (name -> places),
        labels (of the stimuli), and sprite (data address of the thumbnails)
    dimensions : see `rows`
    """
    root = results.parent
    brain = of_test_stimuli(read_rdms(root / brain_rdms(config, dataset, card)))
    regions = mean_rdms(brain, config["measures"]["comparison"])
    networks = {model: read_rdms(root / network_rdms(config, dataset, model)) for model in models}
    layers = sum(len(each.rdm_descriptors) for each in networks.values()) + len(regions)
    ids = brain.pattern_descriptors["stimulus_id"].to_numpy()
    # base64 makes four bytes of three
    chosen = _chosen(len(ids), int(np.sqrt(2 * RDM_BYTES * 0.75 / layers)))
    rdms = {roi: _bytes(rdm, chosen) for roi, rdm in regions.items()}
    dimensions = {}
    for model, each in networks.items():
        tested = of_test_stimuli(each)
        for layer, rdm in zip(tested.rdm_descriptors["layer"], tested.dissimilarities, strict=True):
            rdms[f"{model}/{layer}"] = _bytes(rdm, chosen)
            # seeds of a network are one: its first stands for it, as in the matrix
            dimensions[model, layer] = participation_ratio(gram_of(rdm))
    images, table = read_stimuli(results / dataset / "stimuli.npy", results / dataset / "stimuli.tsv")
    places = pd.Index(table["stimulus_id"]).get_indexer(ids[chosen])
    table = table.iloc[places]
    orders = {"stimulus": np.argsort(ids[chosen], kind="stable").tolist()}
    labels = [name for name in table.columns if name not in ("stimulus_id", "split", "repeats")]
    for name in labels:
        if 1 < table[name].nunique() < len(table):
            orders[name] = _order(table[name])
    for roi, rdm in regions.items():
        orders[f"cluster of {roi}"] = stimulus_order(select_stimuli(rdm[None], chosen)[0]).tolist()
    shown = {
        "stimuli": ids[chosen].tolist(),
        "labels": {name: table[name].astype(str).where(table[name].notna(), "").tolist() for name in labels},
        "shown": [int(chosen.sum()), len(ids)],
        "rdms": rdms,
        "orders": orders,
        "sprite": _sprite(images[places]),
    }
    return shown, dimensions


def _library() -> str:
    """Vega as one script, kept in the user's cache: it takes seconds to put together."""
    path = user_cache() / f"vega-{vl_convert.__version__}.js"
    if path.is_file():
        return path.read_text(encoding="utf-8")
    # the end of a script element ends it wherever it stands
    text = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;").replace("</script", "<\\/script")
    # without a cache it is made anew each time
    with contextlib.suppress(OSError), atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return text


def explorer(config: dict, dataset: str, root: Path, results: Path) -> str:
    """The page as one HTML file; see `page.page` for the parameters."""
    folder = results / "studies" / config["study"] / dataset
    learning = folder / "learning.csv"
    models = told_apart({name: load_card("models", name, root) for name in config["models"]})
    models = marked(models, str(learning) if learning.is_file() else None)
    models = {name: models[name] for name in ordered(models)}
    styles = model_styles(models)
    card = load_card("datasets", dataset, root)
    shapes = shapes_of(config, dataset, models, results)
    matrices, dimensions = geometry(config, dataset, card, models, results)
    values = rows(folder, shapes, models, dimensions)
    maps = folder / "figures/encoding_maps.svg"
    content = {
        "rows": packed(values),
        "rois": ordered_rois(row["roi"] for row in values),
        "measures": {row["measure"]: label_of(row["measure"]) for row in values},
        "thumbnail": THUMBNAIL,
        "networks": [
            {"name": name, "label": card["label"], "family": card["family"]}
            | {"color": matplotlib.colors.to_hex(styles[name]["color"])}
            for name, card in models.items()
        ],
        "colours": [
            matplotlib.colors.to_hex(each) for each in matplotlib.colormaps["viridis"](np.arange(256))
        ],
        **matrices,
    }
    return rendered(
        "explorer.html",
        root,
        study=config["study"],
        dataset=dataset,
        content=_embedded(content),
        library=_library(),
        chart=(root / "resources/report/explorer.js").read_text(),
        maps=figure(maps, root) if maps.is_file() else None,
    )


def write_explorer(config: dict, dataset: str, root: Path, results: Path) -> Path:
    """Write `explorer` beside the results, and return its place."""
    path = results / "studies" / config["study"] / dataset / "explorer.html"
    text = explorer(config, dataset, root, results)
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return path
