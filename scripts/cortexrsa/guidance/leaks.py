"""Images that are too like a test stimulus to be trained on: perceptual hashes, confirmed by correlation.

A hash of 64 bits is that of the lowest spatial frequencies of the grey image (pHash of the library imagehash:
Zauner 2010). It survives another size, another compression, another contrast. It does not survive a crop, and
it knows nothing of meaning: two photographs of one dog pass. So categories are held out beside it, see
`stimuli.held_out_values`.
"""

from __future__ import annotations

from collections.abc import Iterable

import imagehash
import numpy as np
from PIL import Image

from cortexrsa.errors import InputError
from cortexrsa.networks.streaming import Corpus, Images

# of 64: pairs of images that differ by no more are looked at
BITS = 10
# of the pixels of both, grey and small: pairs that correlate by less only share their hash
CORRELATION = 0.95
SIDE = 32
# pixels of the shorter side of image files: more would take longer and change nothing
READ_AT = 64
BLOCK = 4096


def small(image: np.ndarray) -> np.ndarray:
    """Grey image (32, 32) of an image (H, W) or (H, W, 1 or 3) uint8."""
    image = image[..., 0] if image.ndim == 3 and image.shape[-1] == 1 else image
    grey = Image.fromarray(image).convert("L").resize((SIDE, SIDE), Image.Resampling.LANCZOS)
    return np.asarray(grey)


def hashes(images: Iterable[np.ndarray]) -> np.ndarray:
    """Perceptual hashes (n,) uint64 of images (H, W) or (H, W, 1 or 3) uint8."""
    bits = [imagehash.phash(Image.fromarray(small(image))).hash.ravel() for image in images]
    return np.packbits(np.array(bits, bool).reshape(-1, 64), axis=1).view(">u8").ravel().astype(np.uint64)


def alike(first: np.ndarray, second: np.ndarray, bits: int = BITS) -> np.ndarray:
    """Pairs (k, 2) of places in two arrays of hashes that differ in at most some bits."""
    found = [np.empty((0, 2), int)]
    for start in range(0, len(first), BLOCK):
        apart = np.bitwise_count(first[start : start + BLOCK, None] ^ second[None, :])
        pairs = np.argwhere(apart <= bits)
        found.append(pairs + [start, 0])
    return np.concatenate(found)


def _correlated(one: np.ndarray, two: np.ndarray) -> bool:
    values = [small(image).astype(float).ravel() for image in (one, two)]
    if min(value.std() for value in values) == 0:
        return bool(np.array_equal(*values))
    return bool(np.corrcoef(*values)[0, 1] >= CORRELATION)


def near_duplicates(
    first: np.ndarray, second: np.ndarray, image_of_first, image_of_second
) -> list[tuple[int, int]]:
    """Pairs of places of images that are near-duplicates: alike in their hashes, and correlated.

    Parameters
    ----------
    first, second : hashes
    image_of_first, image_of_second : the image at a place, uint8
    """
    return [
        (int(a), int(b))
        for a, b in alike(first, second)
        if _correlated(image_of_first(int(a)), image_of_second(int(b)))
    ]


def _image_of(corpus: Corpus, size: int):
    images = Images(corpus, np.arange(len(corpus.index)), size)
    return lambda place: images[place][0].permute(1, 2, 0).numpy()


def hashes_of_corpus(corpus: Corpus, size: int) -> np.ndarray:
    """Hashes (n,) of all images of a corpus, in the order of its index; files are read at a size."""
    image_of = _image_of(corpus, size)
    return hashes(image_of(place) for place in range(len(corpus.index)))


def without_leaks(
    corpus: Corpus, of_corpus: np.ndarray, tested: np.ndarray, names: list[str], exclude: bool
) -> Corpus:
    """The corpus, none of whose training images is a near-duplicate of a test stimulus.

    Parameters
    ----------
    corpus, of_corpus : with the hashes of its images
    tested, names : images (m, H, W, 3) uint8 of the stimuli that are never trained on, and their ids
    exclude : near-duplicates are left out (split `left_out`) instead of being refused

    Raises
    ------
    InputError : there are near-duplicates, and they are not to be left out; the first of them is named.
    """
    trained = np.flatnonzero((corpus.index["split"] == "train").to_numpy())
    image_of = _image_of(corpus, READ_AT)
    found = near_duplicates(
        of_corpus[trained], hashes(tested), lambda k: image_of(trained[k]), lambda k: tested[k]
    )
    if not found:
        return corpus
    places = sorted({int(trained[a]) for a, _ in found})
    if not exclude:
        file, stimulus = corpus.index["file"].iloc[trained[found[0][0]]], names[found[0][1]]
        told = f"{file!r}, which is the test stimulus {stimulus!r} (of {len(places)} such images)"
        expected = "no test stimuli (brain: near_duplicates: exclude leaves them out)"
        raise InputError("corpus: images", told, expected)
    print(f"{len(places)} images of the corpus are left out: near-duplicates of test stimuli")
    split = corpus.index["split"].copy()
    split.iloc[places] = "left_out"
    return Corpus(corpus.index.assign(split=split), corpus.images, corpus.folder)


def leaking_stimuli(images: np.ndarray, own: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Places of the stimuli to train on that are near-duplicates of others, which are never trained on.

    Parameters
    ----------
    images : (n, H, W, 3) uint8
    own, other : places of the stimuli that might be trained on, and of those that must not
    """
    found = near_duplicates(
        hashes(images[k] for k in own),
        hashes(images[k] for k in other),
        lambda k: images[own[k]],
        lambda k: images[other[k]],
    )
    return own[sorted({a for a, _ in found})]
