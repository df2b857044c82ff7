"""Whether batches of a guided training can be made: asked when a card is read, and before a training."""

from __future__ import annotations

from cortexrsa.errors import InputError


def check_batches(
    batch_size: int, norm_batch: int | None, stimuli: int, images_seen: int, share: float = 1.0
) -> None:
    """Refuse numbers that make no batch of images and stimuli.

    Parameters
    ----------
    batch_size, norm_batch : images of the corpus in a step, and those of a part of it; None: no parts
    stimuli : of a step
    images_seen : images and stimuli of the training
    share : of the training, of the shortest one that is made

    Raises
    ------
    InputError : a batch that cannot be divided into parts, stimuli that cannot, no whole batch.
    """
    field = "weights.training"
    if norm_batch and batch_size % norm_batch:
        raise InputError(f"{field}.norm_batch", norm_batch, f"a divisor of the batch_size, {batch_size}")
    parts = batch_size // (norm_batch or batch_size)
    if stimuli % parts:
        expected = f"a multiple of {parts}, the parts of a batch (batch_size / norm_batch)"
        raise InputError(f"{field}.brain.batch_size", stimuli, expected)
    together, seen = batch_size + stimuli, round(share * images_seen)
    if seen < together:
        found = f"{seen} images in batches of {together}"
        found += f" ({share:g} of {images_seen}, to choose with)" if share < 1 else ""
        raise InputError(f"{field}.images_seen", found, "at least one batch of images and stimuli")
