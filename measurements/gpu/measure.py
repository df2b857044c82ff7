"""Speed, use and memory of a GPU: extraction, training and encoding; prints the table of docs/gpu.md.

    .venv/bin/python measurements/gpu/measure.py [extraction] [training] [encoding]

Each line is one run in a process of its own, beside its peer: bare PyTorch over the same batches.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "scripts")]

MEAN, SD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
LAYERS = ["relu"]
LAYERS += [f"layer{stage}.{block}" for stage, blocks in enumerate((3, 4, 6, 3), 1) for block in range(blocks)]
LAYERS += ["avgpool"]


@contextlib.contextmanager
def watched(told: dict):
    """Seconds, mean use of the GPU (nvidia-smi, ten times a second) and the most memory that PyTorch took."""
    import torch

    torch.cuda.synchronize()
    torch.cuda.reset_peak_memory_stats()
    command = ["nvidia-smi", "--query-gpu=utilization.gpu", "--format=csv,noheader,nounits", "-lms", "100"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as smi:
        start = time.perf_counter()
        yield
        torch.cuda.synchronize()
        told["seconds"] = time.perf_counter() - start
        smi.terminate()
        used = [float(line) for line in smi.stdout.read().split() if line.isdigit()]
    told["use"] = sum(used) / max(1, len(used))
    told["GiB"] = torch.cuda.max_memory_allocated() / 2**30


# ---- extraction ------------------------------------------------------------------------------------------


def _resnet50():
    import numpy as np
    import torchvision

    from cortexrsa.networks.settings import Preprocessing

    images = np.random.default_rng(0).integers(0, 256, (1024, 256, 256, 3), np.uint8)
    return torchvision.models.resnet50(weights=None).eval(), images, Preprocessing(224, mean=MEAN, std=SD)


def extraction(kept: int | None) -> dict:
    """All layers, written whole or projected to `kept` features."""
    from cortexrsa.networks.extraction import Projection, extract

    network, images, preprocessing = _resnet50()
    told = {"images": len(images)}
    projection = kept and Projection(kept, 0, centred=True)
    for part in (images[:64], images):  # the first pass makes the GPU ready
        with tempfile.TemporaryDirectory() as folder, watched(told):
            extract(network, part, preprocessing, LAYERS, folder, batch_size=64, projection=projection)
    return told


def bare_passes() -> dict:
    """The forward passes alone, whose outputs stay on the GPU."""
    import torch

    from cortexrsa.networks.devices import place
    from cortexrsa.networks.preprocessing import prepare

    network, images, preprocessing = _resnet50()
    network = place(network, "cuda")
    told = {"images": len(images)}
    torch.backends.cudnn.allow_tf32 = False
    with torch.inference_mode():
        for part in (images[:64], images):
            with watched(told):
                for start in range(0, len(part), 64):
                    network(prepare(part[start : start + 64], preprocessing).to("cuda"))
    return told


def plain_writing() -> dict:
    """The bytes of as many images, in plain files: what the disk allows."""
    images, block = 1024, bytes(25_200_000)
    told = {"images": images}
    with tempfile.TemporaryDirectory() as folder, watched(told):
        for layer in range(18):
            with open(f"{folder}/{layer}", "wb") as file:
                for _ in range(images // 18):
                    file.write(block)
    return told


# ---- training --------------------------------------------------------------------------------------------


def _module(large: bool, precision: str, steps: int):
    import numpy as np
    import pandas as pd

    from cortexrsa.cards import load_card
    from cortexrsa.networks.build import build
    from cortexrsa.networks.objectives import OBJECTIVES
    from cortexrsa.networks.settings import Preprocessing, Recipe
    from cortexrsa.networks.streaming import Batches, Corpus, loader
    from cortexrsa.networks.training import Training

    card = load_card("models", "resnet18", ROOT)
    recipe = card["weights"]["training"] | {"precision": precision}
    preprocessing = Preprocessing(**card["preprocessing"])
    network = card["network"]
    if large:
        network = {"source": "torchvision", "name": "resnet50"}
        recipe |= {"batch_size": 256, "images_seen": 256 * steps}
        preprocessing = Preprocessing(224, mean=MEAN, std=SD)
    size = preprocessing.size
    rng = np.random.default_rng(0)
    shape = (2048, size, size, 3) if large else (4096, size, size)
    index = pd.DataFrame(
        {"file": "", "category": rng.integers(0, 12, shape[0]).astype(str), "split": "train"}
    )
    part = Corpus(index, rng.integers(0, 255, shape, np.uint8)).part("train", size)
    recipe = Recipe(**recipe)
    module = Training(OBJECTIVES["supervised"](build(network, seed=1), recipe), preprocessing, steps)
    return module.to("cuda").train(), loader(part, Batches(len(part), recipe.batch_size, steps, seed=1))


def training(large: bool, precision: str, steps: int) -> dict:
    """As the workflow trains, under Lightning."""
    import lightning
    import torch

    from cortexrsa.networks import training as workflow

    told = {}
    for count in (10, steps):
        module, batches = _module(large, precision, count)
        trainer = lightning.Trainer(
            accelerator="gpu",
            devices=1,
            precision=workflow.precision(module.recipe, torch.device("cuda")),
            max_steps=count,
            **dict.fromkeys(("logger", "enable_checkpointing", "enable_progress_bar"), False),
            enable_model_summary=False,
        )
        with watched(told):
            trainer.fit(module, batches)
    return told | {"images": steps * module.recipe.batch_size}


def bare_loop(large: bool, precision: str, steps: int) -> dict:
    """The same batches, views, network and loss in the shortest loop."""
    import torch

    told = {}
    for count in (10, steps):
        module, batches = _module(large, precision, count)
        optimizer = module.configure_optimizers()["optimizer"]
        with watched(told):
            for step, (images, labels) in enumerate(batches):
                views = module.views(images.to("cuda"))
                with torch.autocast("cuda", torch.bfloat16, enabled=precision == "bfloat16"):
                    outputs = tuple(output.float() for output in module.objective.outputs(views))
                loss = module.objective.loss(outputs, views, labels.to("cuda"), step / count)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
    return told | {"images": steps * module.recipe.batch_size}


# ---- encoding --------------------------------------------------------------------------------------------


def encoding(n: int, voxels: int) -> dict:
    """Ridge regression of every voxel on a kernel of 2,000 features, with 20 regularisations in 5 folds."""
    import numpy as np

    from cortexrsa.encoding.fits import ridge
    from cortexrsa.encoding.folds import random_folds, splits_of
    from cortexrsa.encoding.kernels import layer_kernel
    from cortexrsa.encoding.settings import EncodingSettings

    rng = np.random.default_rng(0)
    features = rng.standard_normal((n + 500, 2000), dtype=np.float32)
    responses = features[:n, :50] @ rng.standard_normal((50, voxels), dtype=np.float32)
    responses = responses.astype(np.float64) + 10 * rng.standard_normal(responses.shape)
    settings = EncodingSettings()
    told = {"images": n}
    kernel = layer_kernel(features, np.arange(n), np.arange(n, n + 500))
    splits = splits_of(random_folds(np.arange(n), settings.folds, rng), np.arange(n))
    with watched(told):
        ridge(kernel, responses, splits, settings)
    return told


# ---- all of it -------------------------------------------------------------------------------------------

CASES: dict[str, list[tuple[str, Callable[[], dict]]]] = {
    "extraction": [
        ("ResNet-50, 224 px, bare passes in float32", bare_passes),
        ("ResNet-50, 224 px, 18 layers projected to 4,096 features", lambda: extraction(4096)),
        ("ResNet-50, 224 px, 18 layers written whole (25.2 MB an image)", lambda: extraction(None)),
        ("the same bytes, written without a network", plain_writing),
    ],
    "training": [
        (f"{name}, {precision}, {how}", lambda run=run, large=large, p=precision, s=steps: run(large, p, s))
        for large, name, steps in ((True, "ResNet-50, 224 px, batches of 256", 40),)
        for precision in ("bfloat16", "float32")
        for how, run in (("bare loop", bare_loop), ("as the workflow trains", training))
    ]
    + [
        (f"ResNet-18 of the embedded study, bfloat16, {how}", lambda run=run: run(False, "bfloat16", 300))
        for how, run in (("bare loop", bare_loop), ("as the workflow trains", training))
    ],
    "encoding": [
        ("ridge, 1,750 stimuli x 8,428 voxels", lambda: encoding(1750, 8428)),
        ("ridge, 9,000 stimuli x 15,000 voxels", lambda: encoding(9000, 15000)),
    ],
}


def _run(group: str, number: int, line: multiprocessing.Queue) -> None:
    line.put(CASES[group][number][1]())


def main(groups: list[str]) -> None:
    import torch

    print(f"{torch.cuda.get_device_name()}, torch {torch.__version__}\n")
    print("| what | images a second | GPU busy | GPU memory | seconds |")
    print("|---|---|---|---|---|", flush=True)
    context = multiprocessing.get_context("spawn")
    for group in groups or CASES:
        for number, (name, _) in enumerate(CASES[group]):
            line = context.Queue()
            process = context.Process(target=_run, args=(group, number, line))
            process.start()
            process.join()
            if process.exitcode:
                raise SystemExit(f"{name}: failed")
            told = line.get()
            speed = f"{told['images'] / told['seconds']:,.0f}" if group != "encoding" else ""
            cells = (name, speed, f"{told['use']:.0f} %", f"{told['GiB']:.1f} GiB", f"{told['seconds']:.1f}")
            print(f"| {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
