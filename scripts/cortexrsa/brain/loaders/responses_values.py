"""Values of responses: some trials and voxels of an array in a file, read in parts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cortexrsa.errors import InputError
from cortexrsa.formats.foreign_arrays import ForeignArray

SPACE = ("x", "y", "z")
FEW = 8  # voxels
PART = 64 * 2**20  # bytes of a part that is read at once


@dataclass(frozen=True)
class Layout:
    """What the axes of an array are.

    Attributes
    ----------
    axes : a name for each axis: trial, and voxel or x, y, z; single for one of length 1
    trials : number of trials
    grid : lengths of x, y, z, or (voxels,)
    """

    axes: tuple[str, ...]
    trials: int
    grid: tuple[int, ...]


def layout_of(array: ForeignArray, axes: list[str] | None, expected: int | None) -> Layout:
    """Which axis of an array is what: as the card says, as the format has it, or by the number of trials.

    Parameters
    ----------
    array : opened
    axes : of the card, `options.values.axes`; None where it does not say
    expected : number of trials in the file, as the table of the trials has it; None where that is not known

    Raises
    ------
    InputError : axes of another number than the array's; two axes that both fit the number of trials, or none
        that does; more than one entry along an axis called single.
    """
    shape = array.shape
    if axes is None:
        axes = list(array.axes[: len(shape)]) if array.axes and len(array.axes) == len(shape) else None
    if axes is None:
        axes = _guessed(array, expected)
    if len(axes) != len(shape):
        found = f"{len(shape)} axes of lengths {shape}"
        raise InputError(
            "axes", found, f"{len(axes)}: {', '.join(axes)} (options.values.axes)", file=array.path
        )
    lengths = {name: shape[axis] for axis, name in enumerate(axes) if name != "single"}
    for axis, name in enumerate(axes):
        if name == "single" and shape[axis] != 1:
            found = f"{shape[axis]} entries along axis {axis + 1} of {shape}"
            raise InputError(
                "axes", found, "length 1, because the card calls this axis single", file=array.path
            )
    if "trial" not in lengths or len(lengths) < 2:
        raise InputError("axes", ", ".join(axes), "trial and voxel, or trial and x, y, z", file=array.path)
    if expected is not None and lengths["trial"] != expected:
        others = [name for name, length in lengths.items() if length == expected]
        hint = (
            f"; {expected} are along {others[0]}: are the axes of the card in another order?"
            if others
            else ""
        )
        found = f"{lengths['trial']} trials in {shape} ({', '.join(axes)})"
        raise InputError(
            "trials", found, f"{expected}, the rows of the table of trials{hint}", file=array.path
        )
    grid = tuple(lengths[name] for name in SPACE if name in lengths) or (lengths["voxel"],)
    return Layout(tuple(axes), lengths["trial"], grid)


def _guessed(array: ForeignArray, expected: int | None) -> list[str]:
    """The axes of an array of two axes, by the number of trials."""
    shape, said = array.shape, "options.values.axes: [trial, voxel] or [voxel, trial]"
    if len(shape) != 2:
        named = "such as [x, y, z, trial] or [trial, z, y, x]"
        raise InputError(
            "axes", f"{len(shape)} axes of lengths {shape}", f"their names, {named}", file=array.path
        )
    if expected is None or shape[0] == shape[1] == expected:
        raise InputError("axes", f"{shape}, which fits both ways", said, file=array.path)
    if expected not in shape:
        raise InputError(
            "trials", f"shape {shape}", f"{expected} trials, the rows of the table", file=array.path
        )
    return ["trial", "voxel"] if shape[0] == expected else ["voxel", "trial"]


def scale_of(scale: float | str | None, array: ForeignArray) -> float:
    """Factor that the values are multiplied by.

    Raises
    ------
    InputError : whole numbers without a scale: nothing says what they are in units of; truth values.
    """
    if array.dtype.kind == "b" or (array.dtype.kind in "iu" and not array.scaled and scale is None):
        expected = "options.values.scale (1/300 for the betas of NSD; 1 takes whole numbers as they are)"
        raise InputError("dtype", f"{array.dtype} without a scale", expected, file=array.path)
    if isinstance(scale, str):
        above, below = scale.split("/")
        return float(above) / float(below)
    return 1.0 if scale is None else float(scale)


def read_part(
    array: ForeignArray, layout: Layout, trials: np.ndarray, voxels: np.ndarray, scale: float = 1.0
) -> np.ndarray:
    """Some trials of some voxels, in parts of the file of at most about 64 MiB.

    Parameters
    ----------
    array, layout : of the file
    trials : (t,) places along the axis of the trials, from 0, in any order
    voxels : (v,) places in the grid, z fastest, from 0
    scale : that the values are multiplied by

    Returns
    -------
    (t, v) float32
    """
    found = np.empty((len(trials), len(voxels)), np.float32)
    if not found.size:
        return found
    if _whole_trials(array, layout):
        return _by_voxels(array, layout, trials, voxels, scale)
    names = [name for name in layout.axes if name in SPACE]
    order = sorted(names, key=SPACE.index) or ["voxel"]
    places = dict(zip(order, np.unravel_index(voxels, layout.grid), strict=True))
    places["trial"] = trials
    for along, start, stop in _parts(array, layout.axes, places):
        bounds = {name: (int(place.min()), int(place.max()) + 1) for name, place in places.items()}
        bounds[along] = (start, stop)
        inside = (places[along] >= start) & (places[along] < stop)
        rows = np.flatnonzero(inside) if along == "trial" else np.arange(len(trials))
        columns = np.arange(len(voxels)) if along == "trial" else np.flatnonzero(inside)
        if not (len(rows) and len(columns)):
            continue
        block = array[tuple(slice(*bounds.get(name, (0, 1))) for name in layout.axes)]
        spatial = [name for name in layout.axes if name not in ("trial", "single")]
        block = np.moveaxis(block, layout.axes.index("trial"), 0).reshape(
            bounds["trial"][1] - bounds["trial"][0], *(bounds[name][1] - bounds[name][0] for name in spatial)
        )
        where = [places[name][columns] - bounds[name][0] for name in spatial]
        values = block[(trials[rows] - bounds["trial"][0])[:, None], *(place[None] for place in where)]
        found[np.ix_(rows, columns)] = values.astype(np.float64) * scale if scale != 1.0 else values
    return found


def _whole_trials(array: ForeignArray, layout: Layout) -> bool:
    """Whether a file is cut into parts of all trials of one voxel or few, as the betas of NSD are."""
    if not array.chunks:
        return False
    chunks = dict(zip(layout.axes, array.chunks, strict=True))
    along = chunks.pop("trial")
    return along >= layout.trials and np.prod(list(chunks.values()), dtype=np.int64) <= FEW


def _by_voxels(array, layout: Layout, trials, voxels, scale: float) -> np.ndarray:
    """`read_part` by runs of neighbouring voxels: parts of other voxels are not touched."""
    spatial = [name for name in layout.axes if name not in ("trial", "single")]
    order = sorted(spatial, key=(*SPACE, "voxel").index)
    places = dict(zip(order, np.unravel_index(voxels, layout.grid), strict=True))
    last = spatial[-1]
    order = np.lexsort([places[name] for name in reversed(spatial)])
    steps = np.zeros(len(order), bool)
    for name in spatial:
        moved = np.diff(places[name][order])
        steps[1:] |= moved != (1 if name == last else 0)
    found = np.empty((len(trials), len(voxels)), np.float32)
    for run in np.split(order, np.flatnonzero(steps[1:]) + 1):
        first, final = (places[last][run[k]] for k in (0, -1))
        where = {name: slice(int(places[name][run[0]]), int(places[name][run[0]]) + 1) for name in spatial}
        where |= {last: slice(int(first), int(final) + 1), "trial": slice(None)}
        block = array[tuple(where.get(name, slice(0, 1)) for name in layout.axes)]
        block = np.moveaxis(block, layout.axes.index("trial"), 0).reshape(layout.trials, len(run))
        found[:, run] = block[trials].astype(np.float64) * scale
    return found


def _parts(array: ForeignArray, axes: tuple[str, ...], places: dict) -> Iterator[tuple[str, int, int]]:
    """Parts of the axis that varies slowest in the file: its name, start and stop."""
    long = [axis for axis, name in enumerate(axes) if name != "single"]
    if array.chunks:
        # the axis that is cut into most chunks
        axis = max(long, key=lambda axis: array.shape[axis] / array.chunks[axis])
        least = array.chunks[axis]
    else:
        axis, least = (long[-1] if array.last_first else long[0]), 1
    place = places[axes[axis]]
    first, last = int(place.min()) // least * least, int(place.max()) + 1
    others = [name for name in places if name != axes[axis]]
    # bytes of one step along the axis
    step = 8 * int(np.prod([np.ptp(places[name]) + 1 for name in others], dtype=np.int64))
    length = max(least, PART // max(step, 1) // least * least)
    for start in range(first, last, length):
        low, high = max(start, int(place.min())), min(start + length, last)
        yield axes[axis], low, high


def check_values(values: np.ndarray, path: str | Path, what: str) -> np.ndarray:
    """Which trials were recorded at all.

    Parameters
    ----------
    values : (trials, v) of a session
    path, what : file and session, to name in an error

    Returns
    -------
    (trials,) bool : not NaN in all voxels

    Raises
    ------
    InputError : no voxel of any trial is finite, or all values are the same.
    """
    finite = np.isfinite(values)
    if not finite.any():
        expected = "values (options.sessions, or trials.leave_out, leaves it out)"
        raise InputError(
            what, f"NaN in all {values.shape[1]} voxels of all {len(values)} trials", expected, file=path
        )
    if len(values) > 1 and not np.ptp(values[finite]):
        expected = "values that vary (are the voxels those of the ROIs?)"
        raise InputError(what, f"{values[finite][0]:g} in all voxels and trials", expected, file=path)
    return ~np.isnan(values).all(axis=1)
