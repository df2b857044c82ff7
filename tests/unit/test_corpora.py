"""Corpora: fixed splits, folders, CIFAR-10's archive, and the order in which images are read."""

import io
import pickle
import tarfile

import numpy as np
import pandas as pd
import pytest
import torchvision
from PIL import Image
from test_cards import ROOT

from cortexrsa.cards import load_card, place_corpus
from cortexrsa.errors import InputError
from cortexrsa.networks.corpora import cifar10_corpus, index_folder, split_of
from cortexrsa.networks.procedural import procedural_corpus
from cortexrsa.networks.streaming import Batches, Corpus, loader, open_corpus
from support import message_of

# ---- splits ----------------------------------------------------------------------------------------------


def test_splits_depend_on_the_name_alone():
    names = [f"{k:06d}" for k in range(5000)]
    splits = {name: split_of(name, 0.1) for name in names}
    share = np.mean([split == "validation" for split in splits.values()])
    assert share == pytest.approx(0.1, abs=0.015)
    # fixed for all time
    assert split_of("cat/cat_0001.jpg", 0.14) == "validation"
    assert split_of("cat/cat_0001.jpg", 0.12) == "train"
    # a larger share keeps what was held out
    assert all(split_of(name, 0.2) == "validation" for name in names if splits[name] == "validation")


def test_procedural_corpus_is_made_from_its_seed():
    options = {"images": 60, "validation": 0.3, "size": 32, "seed": 5}
    images, index = procedural_corpus(options)
    again, _ = procedural_corpus(options)
    assert images.shape == (60, 32, 32)
    assert np.array_equal(images, again)
    assert set(index["split"]) == {"train", "validation"}
    assert index["category"].nunique() == 12


# ---- folders ---------------------------------------------------------------------------------------------


def folder_of(root, names, size=(40, 30)):
    rng = np.random.default_rng(0)
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 255, (*size[::-1], 3), dtype=np.uint8)).save(path)
    return root


def test_a_folder_with_categories(tmp_path):
    names = [f"{c}/{c}_{k:02d}.png" for c in ("cat", "dog") for k in range(30)]
    folder_of(tmp_path, names)
    (tmp_path / "cat/notes.txt").write_text("no image")
    index = index_folder({"folder": tmp_path, "validation": 0.3})
    assert list(index["file"]) == sorted(names)
    assert list(index["category"].unique()) == ["cat", "dog"]
    assert all(index["split"] == [split_of(name, 0.3) for name in index["file"]])
    corpus = Corpus(index, None, tmp_path)
    part = corpus.part("train", 16)
    images, labels = part.__getitems__([3, 0])
    assert images.shape == (2, 3, 16, 16)
    assert [["cat", "dog"][k] for k in labels] == [index["category"][part.rows[k]] for k in (3, 0)]
    assert len(set(part.labels[:12])) == 2
    # the shorter side is resized, the longer cropped about its centre
    original = Image.open(tmp_path / index["file"][part.rows[3]])
    expected = original.crop((5, 0, 35, 30)).resize((16, 16), Image.Resampling.BILINEAR)
    # at its borders the filter sees what is cropped
    assert np.array_equal(images[0].permute(1, 2, 0).numpy()[:, 1:-1], np.asarray(expected)[:, 1:-1])


def test_a_folder_whose_held_out_images_lie_apart(tmp_path):
    folder_of(tmp_path, ["train/a/1.png", "train/b/2.png", "val/a/3.png", "val/b/4.png"])
    options = {"folder": tmp_path, "train": "train", "held_out": "val", "validation": 0.5}
    index = index_folder(options)
    assert dict(zip(index["file"], index["split"], strict=True)) == {
        "train/a/1.png": "train",
        "train/b/2.png": "train",
        "val/a/3.png": "validation",
        "val/b/4.png": "validation",
    }
    assert list(index["category"]) == ["a", "b", "a", "b"]


def test_a_folder_without_categories(tmp_path):
    folder_of(tmp_path, [f"{k}.png" for k in range(20)])
    index = index_folder({"folder": tmp_path, "validation": 0.4})
    assert Corpus(index, None, tmp_path).categories == []
    assert Corpus(index, None, tmp_path).part("train", 8).labels.tolist() == [-1] * sum(
        index["split"] == "train"
    )


def test_faults_of_a_folder_are_one_line(tmp_path):
    def refused(**options):
        return message_of(index_folder, {"folder": tmp_path, "validation": 0.5, **options})

    assert "found 0 train, 0 validation" in refused()
    folder_of(tmp_path, ["train/a/1.png", "val/c/2.png"])
    assert "no folder" in refused(train="trian", held_out="val")
    assert "held-out categories ['c']" in refused(train="train", held_out="val")
    folder_of(tmp_path, [f"{k}.png" for k in range(20)])
    assert "some images in sub-folders, some not" in refused()
    (tmp_path / "train/a/1.png").write_bytes(b"no image")
    index = pd.DataFrame({"file": ["train/a/1.png"], "category": "a", "split": "train"})
    with pytest.raises(InputError, match=r"1\.png: image: found cannot identify"):
        Corpus(index, None, tmp_path).part("train", 8).__getitems__([0])


def test_the_configuration_places_a_corpus(tmp_path):
    cifar = load_card("corpora", "cifar10", ROOT)
    assert place_corpus(cifar, "cifar10", None) == cifar
    placed = place_corpus(cifar, "cifar10", str(tmp_path))
    assert placed["kind"] == "imagefolder"
    assert placed["files"] == []
    assert placed["options"]["folder"] == str(tmp_path)
    assert placed["options"]["held_out"] == "test"
    with pytest.raises(InputError, match=r"^corpora.cifar10: found .*expected an existing folder"):
        place_corpus(cifar, "cifar10", str(tmp_path / "no"))
    with pytest.raises(InputError, match=r"corpora.imagefolder: found nothing, expected the folder"):
        place_corpus(load_card("corpora", "imagefolder", ROOT), "imagefolder", None)
    with pytest.raises(InputError, match="these images are made here"):
        place_corpus(load_card("corpora", "procedural", ROOT), "procedural", str(tmp_path))


# ---- CIFAR-10 --------------------------------------------------------------------------------------------


def cifar_archive(folder, extra=None):
    rng = np.random.default_rng(0)
    batches = {"batches.meta": {"label_names": [f"category {k}" for k in range(10)]}}
    for name in [*(f"data_batch_{k}" for k in range(1, 6)), "test_batch"]:
        data = rng.integers(0, 255, (7, 3072), dtype=np.uint8)
        batches[name] = {"data": data, "labels": [int(k) for k in rng.integers(0, 10, 7)]}
    batches |= extra or {}
    with tarfile.open(folder / "cifar-10-python.tar.gz", "w:gz") as tar:
        for name, content in batches.items():
            raw = pickle.dumps(content, protocol=2)
            info = tarfile.TarInfo(f"cifar-10-batches-py/{name}")
            info.size = len(raw)
            tar.addfile(info, io.BytesIO(raw))
    return batches


def test_cifar10_is_read_as_torchvision_reads_it(tmp_path, monkeypatch):
    cifar_archive(tmp_path)
    images, index = cifar10_corpus(tmp_path)
    assert images.shape == (42, 32, 32, 3)
    with tarfile.open(tmp_path / "cifar-10-python.tar.gz") as tar:
        tar.extractall(tmp_path, filter="data")
    monkeypatch.setattr(torchvision.datasets.CIFAR10, "_check_integrity", lambda self: True)
    monkeypatch.setattr(torchvision.datasets.cifar, "check_integrity", lambda *_: True)
    for train, split in ((True, "train"), (False, "validation")):
        reference = torchvision.datasets.CIFAR10(tmp_path, train=train)
        rows = (index["split"] == split).to_numpy()
        assert np.array_equal(images[rows], reference.data)
        assert list(index["category"][rows]) == [reference.classes[k] for k in reference.targets]


def test_the_card_names_torchvisions_archive():
    (file,) = load_card("corpora", "cifar10", ROOT)["files"]
    assert file["url"] == torchvision.datasets.CIFAR10.url
    assert file["file"] == torchvision.datasets.CIFAR10.filename


class Payload:
    def __reduce__(self):
        return print, ("executed",)


def test_nothing_but_arrays_is_unpickled(tmp_path, capsys):
    cifar_archive(tmp_path, {"data_batch_3": {"data": Payload(), "labels": [0]}})
    with pytest.raises(InputError, match="is not part of an array"):
        cifar10_corpus(tmp_path)
    assert "executed" not in capsys.readouterr().out
    (tmp_path / "cifar-10-python.tar.gz").write_bytes(b"\x1f\x8b cut short")
    with pytest.raises(InputError, match="expected the batches of CIFAR-10"):
        cifar10_corpus(tmp_path)


# ---- streaming -------------------------------------------------------------------------------------------


@pytest.fixture
def array(tmp_path):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 255, (40, 8, 8), dtype=np.uint8)
    np.save(tmp_path / "images.npy", images)
    index = pd.DataFrame({"file": [f"{k}" for k in range(40)], "category": ["a", "b"] * 20})
    index["split"] = ["train"] * 30 + ["validation"] * 10
    index.to_csv(tmp_path / "index.tsv", sep="\t", index=False)
    return images, tmp_path


def test_arrays_stay_on_disk_and_come_in_the_order_asked_for(array):
    images, folder = array
    corpus = open_corpus(folder / "index.tsv", folder / "images.npy")
    assert isinstance(corpus.images, np.memmap)
    part = corpus.part("validation", 8)
    found, labels = part.__getitems__([7, 2, 2])
    assert sorted(part.rows) == list(range(30, 40))
    rows = part.rows[[7, 2, 2]]
    assert np.array_equal(found[:, 0].numpy(), images[rows])
    assert labels.tolist() == list(rows % 2)
    one, label = part[4]
    assert np.array_equal(one[0].numpy(), images[part.rows[4]])
    assert label == part.rows[4] % 2
    np.save(folder / "images.npy", images[:39])
    with pytest.raises(InputError, match=r"images\.npy: images: found 39, expected 40"):
        open_corpus(folder / "index.tsv", folder / "images.npy")


def test_batches_cover_every_pass_and_can_be_taken_up_anywhere():
    batches = list(Batches(30, 8, 15, seed=3))
    joined = np.concatenate(batches)
    assert [len(batch) for batch in batches] == [8] * 15
    assert all(sorted(joined[k : k + 30]) == list(range(30)) for k in (0, 30, 60, 90))
    assert not np.array_equal(joined[:30], joined[30:60])
    assert list(Batches(30, 8, 15, seed=3, start=7)) == batches[7:]
    assert list(Batches(30, 8, 15, seed=4)) != batches


def test_workers_read_the_same_batches(tmp_path):
    folder_of(tmp_path, [f"{c}/{k:02d}.png" for c in "ab" for k in range(12)])
    corpus = Corpus(index_folder({"folder": tmp_path, "validation": 0.2}), None, tmp_path)
    part = corpus.part("train", 8)
    alone, helped = (list(loader(part, Batches(len(part), 4, 6, seed=1), workers)) for workers in (0, 2))
    for (images, labels), (others, codes) in zip(alone, helped, strict=True):
        assert np.array_equal(images, others)
        assert np.array_equal(labels, codes)


def test_photographs_are_upright(tmp_path):
    upright = np.zeros((8, 8, 3), np.uint8)
    upright[:4] = 255
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned: to be shown rotated clockwise
    Image.fromarray(np.rot90(upright).copy()).save(tmp_path / "1.png", exif=exif)
    index = pd.DataFrame({"file": ["1.png"], "category": "a", "split": "train"})
    images, _ = Corpus(index, None, tmp_path).part("train", 8).__getitems__([0])
    np.testing.assert_array_equal(images[0].permute(1, 2, 0).numpy(), upright)


def test_images_that_cannot_be_read_whole_are_refused_and_colours_of_print_are_not(tmp_path):
    def read(name):
        index = pd.DataFrame({"file": [name], "category": "a", "split": "train"})
        return Corpus(index, None, tmp_path).part("train", 8).__getitems__([0])[0]

    frames = [Image.effect_noise((16, 12), 50) for _ in range(3)]
    frames[0].save(tmp_path / "moving.webp", save_all=True, append_images=frames[1:])
    assert "moving.webp: image: found mode" in message_of(read, "moving.webp")
    Image.new("I;16", (16, 12)).save(tmp_path / "deep.png")
    assert "deep.png: image: found mode I;16" in message_of(read, "deep.png")
    Image.new("RGBA", (16, 12)).save(tmp_path / "clear.png")
    assert "transparent" in message_of(read, "clear.png")
    # ImageNet has such photographs
    Image.new("CMYK", (16, 12), (0, 255, 255, 0)).save(tmp_path / "print.jpg")
    np.testing.assert_allclose(read("print.jpg")[0, :, 0, 0], [254, 0, 0], atol=3)
