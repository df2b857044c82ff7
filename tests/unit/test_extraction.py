"""Extraction against forward passes, within bounds of memory, and under failures."""

import json
import os
import subprocess
import sys
import threading
import zlib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.random_projection import SparseRandomProjection
from torch.nn import functional as F

from cortexrsa.errors import InputError
from cortexrsa.figures.quality import plot_inputs
from cortexrsa.geometry.rdm import rdm
from cortexrsa.networks.architectures.baselines import luminance
from cortexrsa.networks.build import build
from cortexrsa.networks.extraction import Projection, _row_major, extract, write_layers
from cortexrsa.networks.inputs import effective_inputs
from cortexrsa.networks.preprocessing import prepare
from cortexrsa.networks.settings import Preprocessing
from cortexrsa.storage import checksum
from support import message_of

ROOT = Path(__file__).resolve().parents[2]
PREPROCESSING = Preprocessing(32, mean=[0.5, 0.4, 0.3], std=[0.2, 0.3, 0.4])
LAYERS = ["relu", "layer1.0", "layer3.1", "avgpool"]


@pytest.fixture
def images():
    return np.random.default_rng(0).integers(0, 256, (13, 40, 40, 3), np.uint8)


@pytest.fixture
def network():
    options = {"width": 4, "stem": "small", "classes": 3}
    return build({"source": "resnet", "name": "resnet18", "options": options}, seed=1)


def test_prepare_scales_resizes_and_standardises(images):
    same = prepare(images, Preprocessing(40))
    np.testing.assert_allclose(same.permute(0, 2, 3, 1).numpy(), images / 255, atol=1e-6)
    halved = prepare(images, Preprocessing(20))
    # antialiased halving is the tent 1 3 3 1 / 8 along both axes
    x = torch.from_numpy(images / 255).permute(0, 3, 1, 2)
    tent = torch.tensor([1.0, 3, 3, 1], dtype=x.dtype) / 8
    kernel = torch.outer(tent, tent).expand(3, 1, 4, 4)
    expected = F.conv2d(x, kernel, stride=2, padding=1, groups=3)
    np.testing.assert_allclose(halved[..., 1:-1, 1:-1], expected[..., 1:-1, 1:-1], atol=1e-6)
    standard = prepare(images, Preprocessing(40, mean=[0.5, 0.4, 0.3], std=[0.2, 0.3, 0.4]))
    np.testing.assert_allclose(standard[:, 2], (images[..., 2] / 255 - 0.3) / 0.4, atol=1e-5)


@pytest.mark.parametrize(("shape", "sides"), [((30, 40), ((5, 5), (0, 0))), ((40, 33), ((0, 0), (3, 4)))])
def test_images_that_are_not_square_lie_on_a_grey_square(images, shape, sides):
    cut = images[:, : shape[0], : shape[1]]
    padded = np.stack([np.pad(image, (*sides, (0, 0)), constant_values=100) for image in cut])
    found = prepare(cut, Preprocessing(20, background=100))
    torch.testing.assert_close(found, prepare(padded, Preprocessing(20)), rtol=0, atol=0)
    # where the card says nothing the grey is the middle of the range
    corner = prepare(cut, Preprocessing(40))[0, :, 0 if sides[0][0] else 20, 0]
    torch.testing.assert_close(corner, torch.full((3,), 128 / 255))
    # baselines have no way of their own
    pixels = build({"source": "baseline", "name": "pixels"})(prepare(cut, Preprocessing(20, background=100)))
    torch.testing.assert_close(pixels, luminance(found))


def test_prepare_keeps_the_differences_of_contrast_between_images():
    ramp = np.linspace(0, 255, 40).astype(np.uint8)
    strong = np.broadcast_to(ramp[:, None, None], (40, 40, 3))
    weak = (strong // 4 + 96).astype(np.uint8)
    low, high = prepare(np.stack([weak, strong]), Preprocessing(32)).std((1, 2, 3))
    assert high / low == pytest.approx(4, rel=0.05)


def test_prepare_refuses_other_input(images):
    for wrong in (images.astype(float), images[..., :1], images[0]):
        with pytest.raises(InputError, match="expected uint8"):
            prepare(wrong, PREPROCESSING)
    with pytest.raises(InputError, match="expected bilinear"):
        prepare(images, Preprocessing(8, interpolation="lanczos"))


def test_activations_equal_a_forward_pass(images, network, tmp_path):
    network.train()
    table, files = extract(network, images, PREPROCESSING, LAYERS, tmp_path, batch_size=5, device="cpu")
    write_layers(tmp_path, table, files)
    assert table["layer"].tolist() == LAYERS
    assert table["index"].tolist() == [0, 1, 2, 3]
    np.testing.assert_allclose(table["depth"], [0, 1 / 3, 2 / 3, 1])
    assert table["shape"].tolist() == ["4x16x16", "4x16x16", "16x4x4", "32x1x1"]
    written = pd.read_csv(tmp_path / "layers.tsv", sep="\t")
    pd.testing.assert_frame_equal(written, table)
    with torch.inference_mode():
        x = network.maxpool(network.relu(network.bn1(network.conv1(prepare(images, PREPROCESSING)))))
        expected = {"relu": x.flatten(1).clone(), "layer1.0": network.layer1[0](x).flatten(1)}
        x = network.layer3(network.layer2(network.layer1(x)))
        expected["layer3.1"] = x.flatten(1).clone()
        expected["avgpool"] = x = network.avgpool(network.layer4(x)).flatten(1)
    for layer in LAYERS:
        rows = np.load(tmp_path / f"{layer}.npy", mmap_mode="r", allow_pickle=False)
        assert rows.dtype == np.float32
        np.testing.assert_allclose(rows, expected[layer], rtol=1e-4, atol=1e-5)


def test_results_do_not_depend_on_the_batch_size(images, network, tmp_path):
    results = []
    for batch_size in (1, 4, 64):
        folder = tmp_path / str(batch_size)
        folder.mkdir()
        extract(network, images, PREPROCESSING, LAYERS, folder, batch_size=batch_size, device="cpu")
        results.append([np.load(folder / f"{layer}.npy") for layer in LAYERS])
    for other in results[1:]:
        for a, b in zip(results[0], other, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


class Limited(torch.nn.Module):
    """Runs out of memory for batches above `most`, after its first layer has run."""

    def __init__(self, most, error=torch.OutOfMemoryError):
        super().__init__()
        self.first, self.second = torch.nn.Flatten(), torch.nn.ReLU()
        self.most, self.error, self.batches = most, error, []

    def forward(self, x):
        x = self.first(x)
        if len(x) > self.most:
            raise self.error("can't allocate memory")
        self.batches.append(len(x))
        return self.second(x)


@pytest.mark.parametrize("error", [torch.OutOfMemoryError, torch.cuda.OutOfMemoryError, RuntimeError])
def test_out_of_memory_halves_the_batch_and_goes_on(images, tmp_path, error):
    network = Limited(3, error)
    extract(network, images, Preprocessing(8), ["first", "second"], tmp_path, batch_size=64, device="cpu")
    # two images, thrice, to learn of the layers; then 13 at once, then 6, then 3
    assert network.batches == [2, 2, 2, 3, 3, 3, 3, 1]
    expected = prepare(images, Preprocessing(8)).flatten(1)
    for layer in ("first", "second"):
        np.testing.assert_array_equal(np.load(tmp_path / f"{layer}.npy"), expected)


def test_memory_for_a_single_image_is_enough(images, tmp_path):
    network = Limited(1)
    extract(network, images, Preprocessing(8), ["first", "second"], tmp_path, device="cpu")
    assert network.batches == [1] * 15
    expected = prepare(images, Preprocessing(8)).flatten(1)
    np.testing.assert_array_equal(np.load(tmp_path / "second.npy"), expected)


@pytest.mark.parametrize("most", [64, 3])
def test_large_files_are_recorded_as_they_are_written(images, tmp_path, monkeypatch, most):
    for module in ("storage", "networks.extraction"):
        monkeypatch.setattr(f"cortexrsa.{module}.LARGE", 100)
    layers = ["first", "second"]
    written = extract(Limited(most), images, Preprocessing(8), layers, tmp_path, batch_size=5, device="cpu")
    write_layers(tmp_path, *written)
    recorded = json.loads((tmp_path / "layers.tsv.json").read_text())["files"]
    assert set(recorded) == {"layers.tsv", "first.npy", "second.npy"}
    assert recorded == {name: checksum(tmp_path / name) for name in recorded}
    assert recorded["second.npy"].startswith("xxh3-128:")


def test_out_of_memory_for_one_image_is_an_error(images, tmp_path):
    with pytest.raises(InputError, match="batch_size: found out of memory on cpu at 1"):
        extract(Limited(0), images, Preprocessing(8), ["first"], tmp_path, device="cpu")


def test_other_failures_are_not_taken_for_lack_of_memory(images, network, tmp_path):
    broken = torch.nn.Sequential(torch.nn.Linear(7, 7))
    message = message_of(extract, broken, images, PREPROCESSING, ["0"], tmp_path, device="cpu")
    assert message.startswith("preprocessing: size: found 32, at which the network fails (RuntimeError: mat1")

    def of_one_size(x):
        assert x.shape[-1] == 224, "Input height (32) doesn't match model (224)."

    network.forward = of_one_size
    message = message_of(extract, network, images, PREPROCESSING, ["relu"], tmp_path, device="cpu")
    assert "found 32, at which the network fails (AssertionError: Input height (32) doesn't match" in message


class Poisoned(torch.nn.Module):
    """Gives one value that is not finite, in the last image alone."""

    def __init__(self, value):
        super().__init__()
        self.good, self.bad, self.value = torch.nn.Identity(), torch.nn.Identity(), value

    def forward(self, x):
        x = self.good(x).clone()
        x[-1, 0, 0, 0] = self.value
        return self.bad(x)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_values_that_are_not_finite_name_the_layer(images, tmp_path, value):
    with pytest.raises(InputError, match="activations of layer 'bad': found NaN or infinite"):
        extract(Poisoned(value), images, Preprocessing(8), ["good", "bad"], tmp_path, device="cpu")


def test_large_finite_values_are_accepted(images, tmp_path):
    # their float32 sum overflows, they do not
    extract(Poisoned(3e38), images, Preprocessing(8), ["bad"], tmp_path, batch_size=1, device="cpu")
    assert np.isfinite(np.load(tmp_path / "bad.npy")).all()


def test_a_wrong_layer_writes_nothing(images, network, tmp_path):
    with pytest.raises(InputError, match=r"'layer9.0', expected .*layer1.0"):
        extract(network, images, PREPROCESSING, ["relu", "layer9.0"], tmp_path, device="cpu")
    assert not list(tmp_path.iterdir())


def test_a_disk_too_small_is_told_before_anything_is_written(images, network, tmp_path, monkeypatch):
    usage = type("Usage", (), {"free": 1000})
    monkeypatch.setattr("cortexrsa.networks.extraction.shutil.disk_usage", lambda _: usage)
    with pytest.raises(InputError, match="free disk space: found 0 MB"):
        extract(network, images, PREPROCESSING, LAYERS, tmp_path, device="cpu")
    assert not list(tmp_path.iterdir())


class Overwriting(torch.nn.Module):
    """Changes the outputs of two of its three layers in place, one of them through a view."""

    def __init__(self):
        super().__init__()
        self.first, self.second = torch.nn.Conv2d(3, 4, 3), torch.nn.Conv2d(4, 5, 3)
        self.third, self.relu = torch.nn.Flatten(), torch.nn.ReLU(inplace=True)

    def forward(self, x):
        x = self.second(self.relu(self.first(x)))
        x[:, :, 1:].mul_(2)
        return self.third(x)


def test_outputs_that_later_modules_overwrite_are_written_as_they_were(images, tmp_path, monkeypatch):
    network, over = Overwriting(), threading.Event()
    network.register_forward_hook(lambda _, __, output: over.set() if len(output) == len(images) else None)
    copied = []

    def late(output):
        # the writer is so late that the whole network has run
        assert over.wait(60)
        return _row_major(output)

    def clone(output, clone=torch.Tensor.clone):
        if len(output) == len(images):
            copied.append(tuple(output.shape[1:]))
        return clone(output)

    monkeypatch.setattr("cortexrsa.networks.extraction._row_major", late)
    monkeypatch.setattr(torch.Tensor, "clone", clone)
    extract(network, images, Preprocessing(8), ["first", "second", "third"], tmp_path, device="cpu")
    assert copied == [(4, 6, 6), (5, 4, 4)]
    with torch.no_grad():
        first = network.first(prepare(images, Preprocessing(8)))
        second = network.second(first.relu())
        third = torch.cat([second[:, :, :1], 2 * second[:, :, 1:]], dim=2)
    for layer, expected in [("first", first), ("second", second), ("third", third)]:
        np.testing.assert_allclose(np.load(tmp_path / f"{layer}.npy"), expected.flatten(1), atol=1e-5)


class Reusing(torch.nn.Module):
    """Changes its first layer's output where PyTorch does not count it, and has one memory for all passes."""

    def __init__(self):
        super().__init__()
        self.first, self.second = torch.nn.Conv2d(3, 4, 3), torch.nn.Identity()
        self.memory = torch.empty(2, 4, 6, 6)

    def forward(self, x):
        x = self.first(x)
        x.detach().numpy()[:, 0] = 0
        self.memory[: len(x)] = x
        return self.second(self.memory[: len(x)])


def test_memory_that_a_network_uses_again_is_written_before(images, tmp_path):
    network = Reusing()
    extract(network, images, Preprocessing(8), ["first", "second"], tmp_path, batch_size=2, device="cpu")
    with torch.no_grad():
        first = network.first(prepare(images, Preprocessing(8))).flatten(1)
    second = torch.cat([torch.zeros(len(images), 36), first[:, 36:]], dim=1)
    for layer, expected in [("first", first), ("second", second)]:
        np.testing.assert_allclose(np.load(tmp_path / f"{layer}.npy"), expected, atol=1e-5)


class OverwritingLargeBatches(Overwriting):
    def forward(self, x):
        x = self.first(x)
        y = x[:, :1].clone()
        if len(x) > 2:
            x.zero_()
        return y


def test_an_output_that_is_overwritten_in_large_batches_alone_is_refused(images, tmp_path, monkeypatch):
    network, over = OverwritingLargeBatches(), threading.Event()
    # the writer waits for the end of the pass, whichever thread is quicker
    network.register_forward_pre_hook(lambda *_: over.clear())
    network.register_forward_hook(lambda *_: over.set())
    monkeypatch.setattr(
        "cortexrsa.networks.extraction._row_major", lambda output: over.wait(60) and _row_major(output)
    )
    with pytest.raises(
        InputError, match=r"layer 'first': found an output that is overwritten in batches of 13"
    ):
        extract(network, images, Preprocessing(8), ["first"], tmp_path, device="cpu")


class Sequence(torch.nn.Module):
    """Two layers, `first` and `second`; `between` acts on what passes from one to the other."""

    def __init__(self, between):
        super().__init__()
        self.first, self.second = torch.nn.Conv2d(3, 4, 3), torch.nn.Identity()
        self.between = between

    def forward(self, x):
        return self.second(self.between(self.first(x)))


@pytest.mark.parametrize(
    ("between", "found"),
    [
        (lambda x: F.dropout(x, 0.1), "differs between two passes over the same images"),
        (lambda x: x + 0.01 * torch.randn_like(x), "differs between two passes over the same images"),
        (torch.nn.BatchNorm2d(4, track_running_stats=False), "depends on the other images of a batch"),
        (lambda x: x.softmax(0), "depends on the other images of a batch"),
        (lambda x: x - x.mean(0, keepdim=True), "depends on the other images of a batch"),
    ],
)
def test_outputs_that_the_image_alone_does_not_decide_are_refused(images, tmp_path, between, found):
    layers = ["first", "second"]
    with pytest.raises(InputError, match=f"layer 'second': found an output that {found}"):
        extract(Sequence(between), images, Preprocessing(8), layers, tmp_path, device="cpu")
    assert not list(tmp_path.iterdir())
    # one layer of the network may still be recorded
    extract(Sequence(between), images, Preprocessing(8), ["first"], tmp_path, device="cpu")


def test_blank_images_and_dropout_as_a_module_pass(images, tmp_path):
    extract(Sequence(torch.nn.Dropout(0.5)), images * 0, Preprocessing(8), ["second"], tmp_path, device="cpu")
    # in evaluation nothing is dropped: all images give what one does
    values = np.load(tmp_path / "second.npy")
    assert len(values) == len(images)
    assert np.isfinite(values).all()
    assert (values == values[0]).all()


class Giving(torch.nn.Module):
    """A network whose last layer gives what a function makes of its input."""

    def __init__(self, function):
        super().__init__()
        self.inner, self.outer, self.function = torch.nn.Identity(), torch.nn.Identity(), function

    def forward(self, x):
        return self.outer(self.function(self.inner(x)))


@pytest.mark.parametrize(
    ("function", "found"),
    [
        (lambda x: x.mean(), r"an output of shape \(\)"),
        (lambda x: x.mean((1, 2, 3)), r"an output of shape \(2,\)"),
        (lambda x: x[:, :0], r"an output of shape \(2, 0, 8, 8\)"),
        (lambda x: torch.fft.fft2(x), "torch.complex64 values"),
        (lambda x: x.flatten(1).to_sparse(), "torch.float32 values of layout torch.sparse_coo"),
    ],
)
def test_outputs_that_are_no_rows_of_real_numbers_are_refused(images, tmp_path, function, found):
    with pytest.raises(InputError, match=rf"layer 'outer': found {found}"):
        extract(Giving(function), images, Preprocessing(8), ["outer"], tmp_path, device="cpu")
    assert not list(tmp_path.iterdir())


def test_an_output_that_is_a_parameter_is_written(images, tmp_path):
    parameter = torch.nn.Parameter(torch.arange(39.0).reshape(13, 3))
    extract(
        Giving(lambda x: parameter[: len(x)]), images, Preprocessing(8), ["outer"], tmp_path, device="cpu"
    )
    np.testing.assert_array_equal(np.load(tmp_path / "outer.npy"), parameter.detach())


def test_a_network_in_inference_mode_is_read(images, network, tmp_path):
    network.forward = torch.inference_mode()(network.forward)
    extract(network, images, PREPROCESSING, LAYERS, tmp_path, device="cpu")
    assert np.load(tmp_path / "avgpool.npy").shape == (13, 32)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("shape", [(3, 70, 9, 11), (2, 1, 5, 5), (4, 6, 1, 1), (3, 7, 5), (5, 8)])
@pytest.mark.parametrize("order", ["contiguous", "channels_last", "transposed", "sliced"])
def test_rows_are_in_c_order_whatever_the_memory_format(shape, dtype, order):
    output = torch.randn(shape, generator=torch.Generator().manual_seed(0)).to(dtype)
    if order == "channels_last" and len(shape) == 4:
        output = output.to(memory_format=torch.channels_last)
    elif order == "transposed":
        output = output.transpose(0, 1).contiguous().transpose(0, 1)
    elif order == "sliced":
        output = torch.cat([output, output], dim=1)[:, : shape[1]]
    rows = _row_major(output).numpy()
    assert rows.dtype == np.float32
    expected = np.array([[float(value) for value in image.reshape(-1)] for image in output], np.float32)
    np.testing.assert_array_equal(rows, expected)


MEASURE = """
import sys
from pathlib import Path
import numpy as np, torch
from cortexrsa.networks.extraction import extract
from cortexrsa.networks.settings import Preprocessing
network = torch.nn.Sequential(torch.nn.Conv2d(3, 16, 3, padding=1), torch.nn.ReLU())
for n in (64, 256):
    images = np.load(f"{sys.argv[1]}/stimuli{n}.npy", mmap_mode="r")
    extract(network, images, Preprocessing(64), ["0", "1"], sys.argv[1], batch_size=2, device="cpu")
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    print(int(status["VmHWM"].split()[0]) / 1024)
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="peak memory is read from /proc")
def test_peak_memory_does_not_grow_with_the_number_of_images(tmp_path):
    image = np.random.default_rng(0).integers(0, 256, (256, 256, 3), np.uint8)
    for n in (64, 256):
        np.save(tmp_path / f"stimuli{n}.npy", np.broadcast_to(image, (n, *image.shape)))
    # freed arrays go back at once: what glibc keeps in hand differs from run to run
    malloc = {"MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_ARENA_MAX": "1"}
    environment = {**os.environ, **malloc, "PYTHONPATH": str(ROOT / "scripts"), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", MEASURE, str(tmp_path)]
    run = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    few, many = map(float, run.stdout.split())
    assert np.load(tmp_path / "1.npy", mmap_mode="r").shape == (256, 16 * 64 * 64)
    # the 192 images more are 38 MB of stimuli and 101 MB of activations; the writer's queue takes up to 3 MB
    assert many - few < 15


class TokensFirst(torch.nn.Module):
    """Like some transformers: the first axis of an inner output is not the images."""

    def __init__(self):
        super().__init__()
        self.inner, self.outer = torch.nn.Identity(), torch.nn.Identity()

    def forward(self, x):
        tokens = self.inner(x.flatten(2).permute(2, 0, 1))
        return self.outer(tokens.permute(1, 0, 2))


def test_a_layer_whose_first_axis_is_not_the_images_is_refused(images, tmp_path):
    with pytest.raises(InputError, match=r"layer 'inner': found 64 rows, expected .*the images of a batch"):
        extract(TokensFirst(), images, Preprocessing(8), ["inner"], tmp_path, batch_size=4, device="cpu")
    table, _ = extract(
        TokensFirst(), images, Preprocessing(8), ["outer"], tmp_path, batch_size=4, device="cpu"
    )
    assert table["shape"].tolist() == ["64x3"]
    # every image has its own tokens in its own row
    rows = np.load(tmp_path / "outer.npy")
    expected = prepare(images, Preprocessing(8)).flatten(2).permute(0, 2, 1).flatten(1).numpy()
    np.testing.assert_allclose(rows, expected, rtol=1e-6)


# ---- random projection -------------------------------------------------------------------------------------


class Wide(torch.nn.Module):
    """One layer of few and one of many features, whose patterns have a large mean."""

    def __init__(self):
        super().__init__()
        self.wide, self.narrow = torch.nn.Conv2d(3, 128, 3, padding=1), torch.nn.AdaptiveAvgPool2d(1)

    def forward(self, x):
        return self.narrow(self.wide(x).relu() + 5)


@pytest.mark.slow
@pytest.mark.parametrize(("dissimilarity", "centred"), [("correlation", True), ("euclidean", False)])
def test_a_projection_keeps_the_rdm_within_its_error(images, tmp_path, dissimilarity, centred):
    torch.manual_seed(0)
    network, folders = Wide(), {}
    # stimuli that differ in what they share, as RDMs worth comparing do
    images = (images[:4][np.arange(13) % 4] * 0.7 + images * 0.3).astype(np.uint8)
    for name, projection in (
        ("exact", None),
        ("projected", Projection(1024, 3, centred)),
        ("again", Projection(1024, 3, centred)),
        ("other", Projection(1024, 4, centred)),
    ):
        folders[name] = tmp_path / name
        folders[name].mkdir()
        extract(network, images, Preprocessing(16), ["wide", "narrow"], folders[name], 4, "cpu", projection)
    arrays = {name: np.load(folder / "wide.npy") for name, folder in folders.items()}
    assert arrays["exact"].shape[1] == 128 * 16 * 16
    assert arrays["projected"].shape[1] == 1024
    assert arrays["projected"].dtype == np.float32
    np.testing.assert_array_equal(arrays["projected"], arrays["again"])
    assert not np.array_equal(arrays["projected"], arrays["other"])
    # layers that are small enough stay as they are
    np.testing.assert_array_equal(
        np.load(folders["projected"] / "narrow.npy"), np.load(folders["exact"] / "narrow.npy")
    )
    exact, projected = (rdm(arrays[name], dissimilarity) for name in ("exact", "projected"))
    if dissimilarity == "euclidean":
        # per feature, of which there are fewer now
        projected *= 1024 / arrays["exact"].shape[1]
    # the error of an inner product is about 1 / sqrt(dimensions) of the lengths
    assert np.abs(projected - exact).max() < 5 / np.sqrt(1024) * exact.max()
    assert np.corrcoef(projected, exact)[0, 1] > 0.9


def test_a_projection_is_that_of_scikit_learn():
    rows = np.random.default_rng(0).standard_normal((5, 3000), dtype=np.float32)
    for centred in (False, True):
        found = Projection(64, 3, centred).apply("relu", torch.from_numpy(rows)).numpy()
        state = np.random.RandomState([3, zlib.crc32(b"relu")])
        peer = SparseRandomProjection(64, random_state=state).fit(rows)
        np.testing.assert_allclose(
            found, peer.transform(rows - centred * rows.mean(1, keepdims=True)), rtol=1e-4, atol=1e-4
        )


# ---- what the networks saw ---------------------------------------------------------------------------------


def test_the_contact_sheet_shows_the_tensors_that_enter_the_networks(images):
    stimuli = pd.DataFrame({"stimulus_id": [f"s{k}" for k in range(len(images))], "split": "test"})
    cards = {
        "plain": Preprocessing(8),
        "scaled": Preprocessing(12, mean=[0.5] * 3, std=[0.25] * 3),
        "same": Preprocessing(12, mean=[0.5] * 3, std=[0.25] * 3),
    }
    inputs = effective_inputs(images, stimuli, cards, shown=3)
    chosen = [int(name[1:]) for name in inputs["stimulus"].to_numpy()]
    assert chosen[0] == 0
    assert chosen[-1] == len(images) - 1
    for name, settings in cards.items():
        np.testing.assert_array_equal(inputs[name], prepare(images[chosen], settings).numpy())
    assert inputs["plain"].attrs["scale"] == "in [0, 1]"
    models = {name: {"label": name.title(), "family": "untrained"} for name in cards}
    figure = plot_inputs(inputs, models)
    titles = [part.get_suptitle() for part in figure.subfigs]
    # networks with the same input share a row
    assert len(figure.axes) == 2 * 3
    assert [title.split("\n")[0] for title in titles] == ["Plain", "Same, Scaled"]
    assert "resized to 12 x 12, whole image, bilinear; (x - mean) / SD" in titles[1]
    wide = effective_inputs(
        images[:, :30], stimuli, {"a": Preprocessing(8), "b": Preprocessing(40)}, degrees=5
    )
    assert [wide[name].attrs["resize"] for name in "ab"] == [
        f"40 x 30 on a square of 40 x 40 of grey 128, {rest} pixels a degree"
        for rest in ("resized to 8 x 8, whole image, bilinear; 1.6", "whole image; 8")
    ]
