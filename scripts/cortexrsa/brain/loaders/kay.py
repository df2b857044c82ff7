"""Loaders of Kay et al. (2008): the packaged file of one subject, and the raw release `vim-1` of two."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pandas as pd
import xarray

from cortexrsa.brain.assembly import Source, assemble
from cortexrsa.brain.loaders.rdm_files import read_npz
from cortexrsa.errors import InputError, concerning, reason, suggestion
from cortexrsa.formats.arrays import load_foreign_array
from cortexrsa.formats.stimuli import check_stimuli

PACKAGE_KEYS = ("stimuli", "stimuli_test", "responses", "responses_test", "roi", "roi_names")
# levels of WordNet from coarse to fine, then the class that a network predicted, which is no truth
LABELS = ("wordnet_1", "wordnet_2", "wordnet_3", "imagenet_predicted")
# codes of both releases
ROI_CODES = {"Other": 0, "V1": 1, "V2": 2, "V3": 3, "V3A": 4, "V3B": 5, "V4": 6, "LatOcc": 7}
SPLITS = ("train", "test")
FULL_SIZE_PARTS = 15
# share of the range of grey values by which the field around the aperture may vary
FIELD_TOLERANCE = 0.03
# factor by which the range of grey values of the median image may differ between the splits
SCALE_TOLERANCE = 2

# the files that hold the images of each split: path, field and number of images, in their order
Places = dict[str, list[tuple[Path, str, int]]]


# ---- stimuli ---------------------------------------------------------------------------------------------


def check_grey_stimuli(images: dict[str, np.ndarray], options: dict, places: Places) -> None:
    """Refuse grey images that are not those of the experiment.

    Parameters
    ----------
    images : per split (n, size, size) numbers
    options : of the card: train, test (numbers of stimuli), size (pixels), aperture (whether to look for it)
    places : to name in an error

    Raises
    ------
    InputError : dtype (whole numbers are refused: published are float32), shape (swapped splits are named),
        values that are not finite, an image that does not vary, one in both splits, splits on other scales,
        and, with `aperture`, a field around the aperture that is not the same grey in all images (as after a
        normalisation of every image by itself, or without an aperture).
    """
    size, ranges = options["size"], {}
    for split in SPLITS:
        values, (path, field, _) = images[split], places[split][0]
        shape = (options[split], size, size)
        if values.dtype.kind != "f":
            raise InputError(field, f"dtype {values.dtype}", "float32 grey values", file=path)
        if values.shape != shape:
            note = _swapped(values.shape, shape, options)
            raise InputError(field, f"shape {values.shape}{note}", shape, file=path)
        # sums are finite only if every value is, and need no array of that size
        broken = np.flatnonzero(~np.isfinite(values.sum(axis=(1, 2), dtype=np.float64)))
        if len(broken):
            path, field, index = _place(places[split], broken[0])
            found = f"NaN or infinite values in {len(broken)} images, first in image {index}"
            raise InputError(field, found, "finite grey values", file=path)
        flat = np.flatnonzero(np.ptp(values.reshape(len(values), -1), axis=1) == 0)
        if len(flat):
            path, field, index = _place(places[split], flat[0])
            raise InputError(field, f"image {index} of a single grey value", "images", file=path)
        ranges[split] = np.median(np.ptp(values.reshape(len(values), -1), axis=1))
    ratio = ranges["test"] / ranges["train"]
    if not 1 / SCALE_TOLERANCE < ratio < SCALE_TOLERANCE:
        path, field, _ = places["test"][0]
        found = f"images whose grey values span {ratio:.2g} times those of the training images"
        raise InputError(field, found, "one scale of grey values for both splits", file=path)
    seen = {_digest(image): index for index, image in enumerate(images["train"])}
    for index, image in enumerate(images["test"]):
        if (twin := seen.get(_digest(image))) is not None:
            path, field, index = _place(places["test"], index)
            found = f"image {index}, which is training image {twin}"
            raise InputError(field, found, "images of their own: layers are chosen on the others", file=path)
    if options["aperture"]:
        _check_aperture(images, size, places)


def _place(files: list[tuple[Path, str, int]], index: int) -> tuple[Path, str, int]:
    """The file and field that hold an image of a split, and its index there."""
    for path, field, n in files[:-1]:
        if index < n:
            return path, field, index
        index -= n
    return *files[-1][:2], index


def _digest(image: np.ndarray) -> bytes:
    """Stands for an image where its bytes would take the memory of all images again."""
    return hashlib.blake2b(image.tobytes()).digest()


def _swapped(found: tuple[int, ...], expected: tuple[int, ...], options: dict) -> str:
    """A note on a shape that would be right for the other split."""
    splits = {options["train"]: "train", options["test"]: "test"}
    if not found or found[1:] != expected[1:] or found[0] not in splits:
        return ""
    return f", as many as the {splits[found[0]]} split has (are the splits swapped?)"


def _check_aperture(images: dict[str, np.ndarray], size: int, places: Places) -> None:
    """The corners, outside the inscribed circle, are one grey in all images."""
    low = min(values.min() for values in images.values())
    high = max(values.max() for values in images.values())
    axis = np.arange(size) - (size - 1) / 2
    # a margin, since the edge of the aperture may be blurred
    corners = np.hypot(*np.meshgrid(axis, axis)) > 1.15 * size / 2
    field = np.median(images["train"][:, corners])
    for split in SPLITS:
        departure = np.abs(images[split][:, corners] - field).max(axis=1) / (float(high) - float(low))
        worst = int(departure.argmax())
        if departure[worst] > FIELD_TOLERANCE:
            path, key, index = _place(places[split], worst)
            found = f"corners that differ by {departure[worst]:.0%} of the range of grey in image {index}"
            expected = "one grey around the aperture in all images (no normalisation of single images)"
            raise InputError(key, found, f"{expected}; options: aperture: false skips this check", file=path)


def to_bytes(images: dict[str, np.ndarray]) -> np.ndarray:
    """Grey values of all splits on one scale: darkest 0, brightest 255, three equal channels.

    The same affine map serves every image, so luminance and contrast stay comparable.

    Parameters
    ----------
    images : per split (n, H, W)

    Returns
    -------
    (n of all splits, H, W, 3) uint8, training images first
    """
    low = min(float(values.min()) for values in images.values())
    high = max(float(values.max()) for values in images.values())
    total = sum(len(images[split]) for split in SPLITS)
    pixels = np.empty((total, *images["train"].shape[1:], 3), np.uint8)
    for index, image in enumerate(image for split in SPLITS for image in images[split]):
        pixels[index] = np.rint((image.astype(np.float64) - low) * (255 / (high - low)))[..., None]
    return pixels


def stimulus_table(options: dict, labels: dict[str, np.ndarray] | None = None) -> pd.DataFrame:
    """Rows of `stimuli.tsv`, training images first.

    Parameters
    ----------
    options : of the card: train, test, train_repeats, test_repeats
    labels : per split (4, n) text, see `LABELS`; a split without labels has empty ones
    """
    tables = []
    for split in SPLITS:
        n = options[split]
        table = pd.DataFrame(
            {
                "stimulus_id": [f"{split}_{index:04d}" for index in range(n)],
                "split": split,
                "repeats": options[f"{split}_repeats"],
            }
        )
        if labels:
            for name, values in zip(LABELS, labels.get(split, np.full((4, n), "")), strict=True):
                table[name] = values
        tables.append(table)
    return pd.concat(tables, ignore_index=True)


# ---- responses -------------------------------------------------------------------------------------------


def check_responses(
    values: np.ndarray, n_stimuli: int, n_voxels: int, path: str | Path, field: str, options: dict
) -> None:
    """Refuse responses that are not (n_stimuli, n_voxels) real numbers.

    Raises
    ------
    InputError : whole numbers (z-scores lose everything by rounding), a transposed array, other shapes, or no
        finite value at all. Single NaN voxels are dropped and counted later.
    """
    if values.dtype.kind != "f":
        raise InputError(
            field, f"dtype {values.dtype}", "float32 or float64 (rounding loses z-scores)", file=path
        )
    expected = f"({n_stimuli} stimuli, {n_voxels} voxels)"
    if values.shape == (n_voxels, n_stimuli) and n_voxels != n_stimuli:
        raise InputError(field, f"shape {values.shape}, transposed", expected, file=path)
    if values.shape != (n_stimuli, n_voxels):
        note = _swapped(values.shape, (n_stimuli, n_voxels), options)
        raise InputError(field, f"shape {values.shape}{note}", expected, file=path)
    if not np.isfinite(values).any():
        raise InputError(field, "no finite value", "responses", file=path)
    if not any(np.any(row != np.round(row), where=np.isfinite(row)) for row in values):
        raise InputError(
            field, "whole numbers only", "responses as published (rounding loses z-scores)", file=path
        )


def check_averages(responses: xarray.DataArray, path: str | Path) -> None:
    """Refuse averages over different repeats whose variances cannot be those of one signal and one noise.

    Parameters
    ----------
    responses : (stimulus, voxel) of `responses_array`

    Raises
    ------
    InputError : as many repeats in both splits, or no less variance over more repeats (mean over voxels), as
        after z-scoring each split by itself, or with the repeats of the splits swapped in the card.
    """
    repeats = {
        split: int(responses["repeats"].values[responses["split"].values == split][0]) for split in SPLITS
    }
    few, many = sorted(SPLITS, key=repeats.get)
    if repeats[few] == repeats[many]:
        found = f"{repeats['train']} and {repeats['test']}"
        raise InputError(
            "options: train_repeats, test_repeats", found, "different numbers", file="data set card"
        )
    variances = {split: _mean_variance(responses, split) for split in SPLITS}
    if variances[many] >= variances[few]:
        found = (
            f"a variance of {variances[many]:.3g} over {repeats[many]} repeats ({many}) "
            f"and {variances[few]:.3g} over {repeats[few]} ({few})"
        )
        expected = "less over more repeats: both splits on one scale, not z-scored each by itself"
        raise InputError("responses", found, expected, file=path)


def _mean_variance(responses: xarray.DataArray, split: str) -> float:
    """Variance over the stimuli of a split, mean over the voxels without NaN (of which there may be none)."""
    values = responses.values[responses["split"].values == split]
    values = values[:, np.isfinite(values).all(axis=0)]
    return float(values.var(axis=0, dtype=np.float64).mean()) if values.size else np.nan


def select_rois(codes: np.ndarray, card_rois: dict, path: str | Path, field: str) -> dict[str, np.ndarray]:
    """Indices of the voxels of every ROI of the card.

    Parameters
    ----------
    codes : (v,) code of each voxel
    card_rois : label -> {code, voxels (number that must be there; optional)}
    path, field : to name in an error

    Raises
    ------
    InputError : a known ROI with another's code in the card; codes that are no whole numbers or that no ROI
        has, no voxels in a ROI, or another number.
    """
    _check_codes(card_rois)
    codes = np.asarray(codes)
    if codes.dtype.kind not in "iuf" or not np.array_equal(codes, np.round(codes)):
        raise InputError(
            field, f"dtype {codes.dtype} with other than whole numbers", "codes of ROIs", file=path
        )
    unknown = sorted(set(codes.astype(int).tolist()) - set(ROI_CODES.values()))
    if unknown:
        known = ", ".join(f"{code} {name}" for name, code in ROI_CODES.items())
        raise InputError(field, f"the code {unknown[0]}", f"one of {known}", file=path)
    chosen = {}
    for roi, entry in card_rois.items():
        chosen[roi] = np.flatnonzero(codes == entry["code"])
        expected = entry.get("voxels")
        if not len(chosen[roi]) or expected not in (None, len(chosen[roi])):
            raise InputError(
                field,
                f"{len(chosen[roi])} voxels of code {entry['code']} ({roi})",
                expected or "some",
                file=path,
            )
    return chosen


def _check_codes(card_rois: dict) -> None:
    """Refuse a card that gives the name of one area to another's voxels; labels of one's own are free."""
    for roi, entry in card_rois.items():
        if entry["code"] != ROI_CODES.get(roi, entry["code"]):
            expected = f"{ROI_CODES[roi]}, the code of {roi} in these data"
            raise InputError(f"rois.{roi}.code", entry["code"], expected, file="data set card")


def responses_array(parts: list[tuple], stimuli: pd.DataFrame) -> xarray.DataArray:
    """Responses of several subjects as `assembly.assemble` makes them, with their repeats.

    Parameters
    ----------
    parts : (subject, {roi: indices of voxels}, {split: (n, v) responses}) of each subject
    stimuli : rows in the order train, test
    """
    trials = stimuli[["stimulus_id", "repeats"]]
    return assemble(stimuli, [_source(*part, trials) for part in parts])


def _source(subject: str, regions: dict, values: dict, trials: pd.DataFrame) -> Source:
    """The published averages of one subject."""
    columns = np.concatenate(list(regions.values()))
    labels = np.repeat(list(regions), [len(voxels) for voxels in regions.values()])
    published = np.concatenate([values[split][:, columns].astype(np.float32) for split in SPLITS])
    return Source(subject, trials, {"roi": labels}, lambda rows: published[rows], averages=True)


# ---- the packaged file -----------------------------------------------------------------------------------


def load_kay2008(card: dict, folder: str | Path) -> tuple[np.ndarray, pd.DataFrame, xarray.DataArray]:
    """The data set as packaged in `kay_images.npz` (loader `kay2008`).

    Parameters
    ----------
    card : of the data set; `rois`: {label: {code, voxels}}, `options`: package (file), train, test,
        train_repeats, test_repeats, size, aperture, labels ({split: file}, optional)
    folder : of the raw files

    Returns
    -------
    images : (n, H, W, 3) uint8, training images first
    stimuli : n rows
    responses : (stimulus, voxel) float32, averages over the repeats, of the ROIs of the card

    Raises
    ------
    InputError : a file that is cut short, no .npz, or holds objects; missing keys; see `check_grey_stimuli`,
        `check_responses`, `check_averages`, `select_rois`; names of ROIs that differ from the card's; labels
        of another shape.
    """
    options = card["options"]
    path = Path(folder, options["package"])
    arrays = read_npz(path, PACKAGE_KEYS)
    keys = {"train": "stimuli", "test": "stimuli_test"}
    images = {split: arrays[key] for split, key in keys.items()}
    check_grey_stimuli(images, options, {split: [(path, key, options[split])] for split, key in keys.items()})
    regions = _package_rois(arrays, card["rois"], path)
    values = {"train": arrays["responses"], "test": arrays["responses_test"]}
    for split, key in zip(SPLITS, ("responses", "responses_test"), strict=True):
        check_responses(values[split], options[split], len(arrays["roi"]), path, key, options)
    labels = {
        split: _read_labels(Path(folder, name), options[split])
        for split, name in options.get("labels", {}).items()
    }
    stimuli = stimulus_table(options, labels)
    pixels = to_bytes(images)
    with concerning(path):
        check_stimuli(pixels, stimuli)
    responses = responses_array([("sub-01", regions, values)], stimuli)
    check_averages(responses, path)
    return pixels, stimuli, responses


def _package_rois(arrays: dict, card_rois: dict, path: Path) -> dict[str, np.ndarray]:
    """Voxels of every ROI, after the file's own names of the codes agree with the card's."""
    names, codes = arrays["roi_names"], arrays["roi"]
    if names.dtype.kind not in "US" or names.ndim != 1:
        raise InputError("roi_names", f"{names.dtype} {names.shape}", "a list of names", file=path)
    if codes.ndim != 1:
        raise InputError("roi", f"shape {codes.shape}", "one code for each voxel", file=path)
    # Python 2 wrote text as bytes
    if names.dtype.kind == "S":
        names = np.char.decode(names, "utf-8", "replace")
    for roi, entry in card_rois.items():
        code = entry["code"]
        found = str(names[code]) if code < len(names) else "nothing"
        if found != roi:
            raise InputError(f"roi_names[{code}]", repr(found), f"{roi!r}, as in the card", file=path)
    return select_rois(codes, card_rois, path, "roi")


def _read_labels(path: Path, n: int) -> np.ndarray:
    labels = load_foreign_array(path)
    if labels.dtype.kind != "U" or labels.shape != (len(LABELS), n):
        raise InputError("labels", f"{labels.dtype} {labels.shape}", f"text ({len(LABELS)}, {n})", file=path)
    return labels


# ---- the raw release -------------------------------------------------------------------------------------


def load_vim1(card: dict, folder: str | Path) -> tuple[np.ndarray, pd.DataFrame, xarray.DataArray]:
    """The raw release of the CRCNS, data set vim-1 (loader `vim1`).

    Parameters
    ----------
    card : of the data set; `rois`: {label: {code}}, `options`: subjects, train, test, train_repeats,
        test_repeats, size, aperture, full_resolution (read the 500 x 500 pixel stimuli, in
        `Stimuli_Trn_FullRes_01.mat` to `_15.mat` and `Stimuli_Val_FullRes.mat`)
    folder : of `Stimuli.mat` (MATLAB 5) and `EstimatedResponses.mat` (MATLAB 7.3, that is HDF5)

    Returns
    -------
    images, stimuli, responses : as of `load_kay2008`; voxels that are NaN are still there, to be dropped and
        counted with all others that cannot be used (`responses.clean_responses`)

    Raises
    ------
    InputError : a file or variable that is not there or cannot be read; see `check_grey_stimuli`,
        `check_responses`, `check_averages`, `select_rois`; images in one file whose number differs from the
        responses'.
    """
    folder, options = Path(folder), card["options"]
    if options["full_resolution"]:
        images, places = _full_resolution(folder, options)
    else:
        images, places = _mat5_stimuli(folder / "Stimuli.mat", options)
    check_grey_stimuli(images, options, places)
    path = folder / "EstimatedResponses.mat"
    parts = []
    for subject in options["subjects"]:
        names = {"train": f"dataTrn{subject}", "test": f"dataVal{subject}"}
        arrays = _read_hdf5(path, [*names.values(), f"roi{subject}"])
        codes = arrays[f"roi{subject}"].ravel()
        values = {split: arrays[name] for split, name in names.items()}
        for split, name in names.items():
            check_responses(values[split], options[split], len(codes), path, name, options)
        regions = select_rois(codes, card["rois"], path, f"roi{subject}")
        parts.append((f"sub-{subject}", regions, values))
    stimuli = stimulus_table(options)
    pixels = to_bytes(images)
    with concerning(folder):
        check_stimuli(pixels, stimuli)
    responses = responses_array(parts, stimuli)
    check_averages(responses, path)
    return pixels, stimuli, responses


def _mat5_stimuli(path: Path, options: dict) -> tuple[dict[str, np.ndarray], Places]:
    from scipy.io import loadmat

    names = {"train": "stimTrn", "test": "stimVal"}
    try:
        content = loadmat(path, variable_names=list(names.values()))
    # scipy has an error of its own for each way a file can be damaged
    except Exception as error:
        raise InputError("content", reason(error), "a MATLAB 5 file", file=path) from error
    for name in names.values():
        if name not in content:
            raise InputError("variable", f"no {name!r}", suggestion(name, content), file=path)
        if not isinstance(content[name], np.ndarray):
            raise InputError(name, f"a {type(content[name]).__name__}", "a full array", file=path)
    images = {split: content[name] for split, name in names.items()}
    return images, {split: [(path, name, options[split])] for split, name in names.items()}


def _full_resolution(folder: Path, options: dict) -> tuple[dict[str, np.ndarray], Places]:
    """The 500 x 500 pixel stimuli as float32, filled into one array for each split file by file."""
    names = [f"Stimuli_Trn_FullRes_{part:02d}.mat" for part in range(1, FULL_SIZE_PARTS + 1)]
    parts = {"train": [(name, "stimTrn") for name in names], "test": [("Stimuli_Val_FullRes.mat", "stimVal")]}
    images, places = {}, {}
    for split in SPLITS:
        images[split] = np.empty((options[split], options["size"], options["size"]), np.float32)
        places[split], filled = [], 0
        for name, field in parts[split]:
            part = _full_size_part(folder / name, field, options["size"])
            if filled + len(part) <= options[split]:
                images[split][filled : filled + len(part)] = part
            filled += len(part)
            places[split].append((folder / name, field, len(part)))
        if filled != options[split]:
            where = folder / parts[split][0][0].replace("_01", "_*")
            raise InputError(parts[split][0][1], f"{filled} images", options[split], file=where)
    return images, places


def _full_size_part(path: Path, field: str, size: int) -> np.ndarray:
    """(n, size, size) real numbers of one file."""
    # MATLAB's order of the axes is reversed in HDF5: (image, row, column) there
    part = _read_hdf5(path, [field])[field].T
    if part.dtype.kind not in "fu":
        raise InputError(field, f"dtype {part.dtype}", "grey values", file=path)
    if part.ndim != 3 or part.shape[1:] != (size, size):
        raise InputError(field, f"shape {part.shape}", f"(images, {size}, {size})", file=path)
    return part


def _read_hdf5(path: Path, names: list[str]) -> dict[str, np.ndarray]:
    import h5py

    try:
        with h5py.File(path, "r") as file:
            for name in names:
                if name not in file:
                    raise InputError("variable", f"no {name!r}", suggestion(name, file), file=path)
                if not isinstance(file[name], h5py.Dataset):
                    raise InputError(name, "a group (a MATLAB structure)", "an array", file=path)
            # a scalar comes out as no array
            return {name: np.asarray(file[name][()]) for name in names}
    except InputError:
        raise
    except (OSError, KeyError, RuntimeError, TypeError, ValueError) as error:
        raise InputError("content", reason(error), "a MATLAB 7.3 file (HDF5)", file=path) from error


LOADERS = {"kay2008": load_kay2008, "vim1": load_vim1}
