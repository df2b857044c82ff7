"""Images as squares: the one way in which networks, baselines and confounds see images that are not."""

from __future__ import annotations

import numpy as np

# grey of the screen around the images, where the data set's card does not say: the middle of 0 to 255
BACKGROUND = 128


def squared(images: np.ndarray, background: int = BACKGROUND) -> np.ndarray:
    """Images in the middle of squares of one grey, as on a screen: nothing is squeezed, nothing cut.

    Parameters
    ----------
    images : (n, H, W, 3) uint8
    background : grey of what is added, 0 to 255

    Returns
    -------
    (n, S, S, 3) uint8 with S the longer side; square images as they are. An odd difference of the sides puts
    the image half a pixel to the left or to the top.

    Examples
    --------
    >>> squared(np.zeros((1, 1, 3, 3), np.uint8))[0, :, :, 0].tolist()
    [[128, 128, 128], [0, 0, 0], [128, 128, 128]]
    """
    height, width = images.shape[1:3]
    if height == width:
        return images
    side = max(height, width)
    found = np.full((len(images), side, side, images.shape[3]), background, images.dtype)
    top, left = (side - height) // 2, (side - width) // 2
    found[:, top : top + height, left : left + width] = images
    return found
