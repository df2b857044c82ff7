"""Images per second: every objective under Lightning against a bare PyTorch loop, and the loaders."""

from __future__ import annotations

import tempfile
from pathlib import Path

import lightning
import numpy as np
import pandas as pd
import torch
from harness import Case

from cortexrsa.cards import load_card
from cortexrsa.networks.build import build
from cortexrsa.networks.corpora import index_folder
from cortexrsa.networks.objectives import OBJECTIVES
from cortexrsa.networks.settings import Preprocessing, Recipe
from cortexrsa.networks.streaming import Batches, Corpus, loader
from cortexrsa.networks.training import Training, precision

ROOT = Path(__file__).resolve().parents[2]
STEPS, IMAGES = 60, 4096
CARDS = {
    "supervised": "resnet18",
    "simclr": "simclr",
    "barlow_twins": "barlow_twins",
    "autoencoder": "autoencoder",
    "vae": "vae",
}
BATCH = load_card("models", "resnet18", ROOT)["weights"]["training"]["batch_size"]  # the same in all cards


def small_corpus(images: int = IMAGES, size: int = 64) -> Corpus:
    """Noise images as a memory map: what they show does not matter here."""
    rng = np.random.default_rng(0)
    path = Path(tempfile.mkdtemp()) / "images.npy"
    np.save(path, rng.integers(0, 255, (images, size, size), dtype=np.uint8))
    index = pd.DataFrame({"file": [f"{k}" for k in range(images)], "category": rng.integers(0, 12, images)})
    index = index.astype({"category": str}).assign(split="train")
    return Corpus(index, np.load(path, mmap_mode="r"))


def _training(objective: str) -> dict:
    torch.set_num_threads(1)
    card = load_card("models", CARDS[objective], ROOT)
    recipe, preprocessing = Recipe(**card["weights"]["training"]), Preprocessing(**card["preprocessing"])
    made = OBJECTIVES[objective](build(card["network"], seed=1), recipe)
    module = Training(made, preprocessing, 1000)
    return {"module": module.train(), "part": small_corpus().part("train", preprocessing.size)}


def batches(module: Training, part) -> torch.utils.data.DataLoader:
    """The batches of a part of the corpus, in the order of every case."""
    return loader(part, Batches(len(part), module.recipe.batch_size, STEPS, seed=1))


def with_lightning(module: Training, part) -> None:
    """As the workflow trains: loader, augmentation, Lightning; without its checkpoints and curves."""
    trainer = lightning.Trainer(
        accelerator="cpu",
        devices=1,
        precision=precision(module.recipe, torch.device("cpu")),
        max_steps=STEPS,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(module, batches(module, part))


def bare_loop(module: Training, part) -> None:
    """The same batches, views, network and loss, in the shortest loop that PyTorch allows."""
    optimizer = module.configure_optimizers()["optimizer"]
    mixed = precision(module.recipe, torch.device("cpu")) == "bf16-mixed"
    for step, (images, labels) in enumerate(batches(module, part)):
        views = module.views(images)
        with torch.autocast("cpu", torch.bfloat16, enabled=mixed):
            outputs = tuple(output.float() for output in module.objective.outputs(views))
        loss = module.objective.loss(outputs, views, labels, step / 1000)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def _folder() -> dict:
    from PIL import Image

    rng = np.random.default_rng(0)
    root = Path(tempfile.mkdtemp())
    for k in range(512):
        path = root / f"{k % 4}" / f"{k}.jpg"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(rng.integers(0, 255, (256, 256, 3), dtype=np.uint8)).save(path)
    index = index_folder({"folder": root, "validation": 0.01})
    return {"corpus": Corpus(index.assign(split="train"), None, root), "root": root}


def load_folder(corpus: Corpus, root: Path) -> None:
    for _ in loader(corpus.part("train", 64), Batches(512, 64, 8, seed=1)):
        pass


def load_folder_with_torchvision(corpus: Corpus, root: Path) -> None:
    from torchvision.datasets import ImageFolder
    from torchvision.transforms import v2

    steps = [v2.Resize(64), v2.CenterCrop(64), v2.PILToTensor()]
    data = ImageFolder(root, v2.Compose(steps))
    for _ in torch.utils.data.DataLoader(data, batch_size=64, shuffle=True):
        pass


def _array() -> dict:
    corpus = small_corpus()
    return {"corpus": corpus}


def load_array(corpus: Corpus) -> None:
    for _ in loader(corpus.part("train", 64), Batches(IMAGES, 64, IMAGES // 64, seed=1)):
        pass


def load_array_with_torch(corpus: Corpus) -> None:
    data = torch.utils.data.TensorDataset(torch.from_numpy(np.array(corpus.images)))
    for _ in torch.utils.data.DataLoader(data, batch_size=64, shuffle=True):
        pass


TORCH, VISION = f"torch {torch.__version__}", "torchvision ImageFolder"
CASES = [
    Case(
        name=f"training_{objective}",
        size=f"{STEPS} steps of {BATCH} images, seconds of one image",
        peer=f"{TORCH}, bare loop",
        inputs=lambda objective=objective: _training(objective),
        ours=with_lightning,
        theirs=bare_loop,
        ours_units=STEPS * BATCH,
        peer_units=STEPS * BATCH,
        repeats=3,
        peer_repeats=3,
        goal=0.9,
    )
    for objective in CARDS
] + [
    Case(
        name="loader_folder",
        size="512 JPEG of 256 px to 64 px, seconds of one image",
        peer=VISION,
        inputs=_folder,
        ours=load_folder,
        theirs=load_folder_with_torchvision,
        ours_units=512,
        peer_units=512,
        repeats=3,
        peer_repeats=3,
        goal=1,
    ),
    Case(
        name="loader_array",
        size=f"{IMAGES} images of 64 px from a memory map, seconds of one image",
        peer=f"{TORCH}, TensorDataset in memory",
        inputs=_array,
        ours=load_array,
        theirs=load_array_with_torch,
        ours_units=IMAGES,
        peer_units=IMAGES,
        repeats=3,
        peer_repeats=3,
    ),
]
