"""What a card says of training with the brain, and what the training is given to learn from."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field

import numpy as np

from cortexrsa.networks.settings import Preprocessing

# losses, and what each compares the features of a layer with
TARGETS = {"rdm_pearson": "rdm", "rdm_spearman": "rdm", "cka": "gram", "readout": "responses"}


@dataclass(frozen=True, kw_only=True)
class Guidance:
    """`weights: training: brain` of a card.

    Attributes
    ----------
    dataset : name of its card
    layers : the layer that is to be like each ROI
    loss : one of `TARGETS`
    weight : of the loss beside the objective's; 0: the stimuli are seen, and nothing is learned of the brain
    batch_size : stimuli of a step
    split : of the data set's stimuli
    dissimilarity : correlation, euclidean or crossnobis, of the RDM losses
    subjects : people whose responses are trained on; None: all
    held_out : column of the stimuli's table and share of its values of which no stimulus is trained on, or
        None
    validation : share of the stimuli that nothing is learned from
    keep : last, or best (of the weights at the points of the validation curve)
    near_duplicates : refuse, or exclude: images of the corpus that are near-duplicates of test stimuli
    temperature, ridge : see `losses.similarity`
    target : brain, or one of `guided_cards.CONTROLS`
    options : of the control: roi, column, or card and layer
    choose : weights, layers of each ROI, and the share of the budget that each is tried with; None: as above
    glm : how betas are made of raw BOLD, where it is not as config.yaml says
    """

    dataset: str
    layers: dict[str, str]
    loss: str
    weight: float
    batch_size: int = 32
    split: str = "train"
    dissimilarity: str = "correlation"
    subjects: Sequence[str] | None = None
    held_out: dict | None = None
    validation: float = 0.2
    keep: str = "last"
    near_duplicates: str = "refuse"
    temperature: float = 0.1
    ridge: float = 0.1
    target: str = "brain"
    options: dict = field(default_factory=dict)
    choose: dict | None = None
    glm: dict = field(default_factory=dict)


@dataclass(frozen=True)
class Lesson:
    """Stimuli to train with, and what the layers are to be like.

    Attributes
    ----------
    images : (n, H, W, 3) uint8, all stimuli of the data set, memory-mapped
    fitted, validated : places in `images` of the stimuli that are trained on, and of those for validation
    targets : layer and target (float32; rows: those of `fitted`, then of `validated`) of each ROI; of RDMs
        and Gram matrices (n, n), of responses (n, voxels)
    preprocessing : how stimuli become the network's input
    """

    images: np.ndarray
    fitted: np.ndarray
    validated: np.ndarray
    targets: list[tuple[str, np.ndarray]]
    preprocessing: Preprocessing

    def digest(self) -> str:
        """Checksum of all that is learned from."""
        digest = hashlib.sha256(repr(asdict(self.preprocessing)).encode())
        for place in np.concatenate([self.fitted, self.validated]):
            digest.update(np.ascontiguousarray(self.images[place]))
        for layer, target in self.targets:
            digest.update(layer.encode())
            digest.update(np.ascontiguousarray(target))
        return digest.hexdigest()
