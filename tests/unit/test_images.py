"""Images as they are shown: turned, brought to one size, or refused in one line."""

import struct
import zlib

import numpy as np
import pytest
from PIL import Image, ImageCms

from cortexrsa.formats.image_names import image_names
from cortexrsa.formats.images import load_images, read_image
from support import message_of


def save_images(folder, n=10, size=(12, 16), mode="RGB"):
    """n random PNG images; returns their pixels."""
    folder.mkdir(parents=True, exist_ok=True)
    shape = (n, *size, 3) if mode == "RGB" else (n, *size)
    pixels = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    for index, image in enumerate(pixels):
        Image.fromarray(image).save(folder / f"{index}.png")
    return pixels


def test_pixels_are_kept_as_they_are(tmp_path):
    pixels = save_images(tmp_path)
    # an image of low contrast stays one: there is no scaling of single images
    pixels[3] = 100 + pixels[3] // 128
    Image.fromarray(pixels[3]).save(tmp_path / "3.png")
    images = load_images(tmp_path, image_names(tmp_path))
    assert images.dtype == np.uint8
    np.testing.assert_array_equal(images, pixels)


def test_grey_images_get_three_channels(tmp_path):
    pixels = save_images(tmp_path, mode="L")
    images = load_images(tmp_path, [f"{index}.png" for index in range(10)])
    np.testing.assert_array_equal(images, np.repeat(pixels[..., None], 3, axis=-1))


def test_names_are_in_numerical_order_and_only_of_images(tmp_path):
    for name in ("image_10.jpg", "image_9.JPG", "image_1.png", "notes.txt", "b.jpeg"):
        (tmp_path / name).touch()
    assert image_names(tmp_path) == ["b.jpeg", "image_1.png", "image_9.JPG", "image_10.jpg"]


@pytest.mark.parametrize("mode", ["RGBA", "LA", "CMYK", "I;16", "F"])
def test_other_kinds_of_image_are_refused(tmp_path, mode):
    image = Image.new(mode, (16, 12))
    path = tmp_path / ("0.tif" if mode in ("F", "CMYK") else "0.png")
    image.save(path)
    message = message_of(load_images, tmp_path, [path.name])
    assert message.startswith(f"{path}: image: found mode {mode[0]}")
    assert message.endswith("expected grey or RGB, 8 bits a channel, no transparency, one frame")


@pytest.mark.parametrize("damage", ["cut", "text", "empty", "missing", "html"])
def test_image_that_cannot_be_read(tmp_path, damage):
    save_images(tmp_path)
    path = tmp_path / "4.png"
    content = path.read_bytes()
    if damage == "missing":
        path.unlink()
    else:
        kinds = {"cut": content[: len(content) // 2], "text": b"x", "empty": b"", "html": b"<html></html>"}
        path.write_bytes(kinds[damage])
    message = message_of(load_images, tmp_path, [f"{index}.png" for index in range(10)])
    assert message.startswith(f"{path}: image: found ")
    assert message.endswith("expected an image that can be read")


def test_cut_jpeg(tmp_path):
    path = tmp_path / "0.jpg"
    Image.effect_noise((64, 64), 50).save(path)
    path.write_bytes(path.read_bytes()[:900])
    assert f"{path}: image: found " in message_of(load_images, tmp_path, ["0.jpg"])


def test_no_images(tmp_path):
    expected = "images: found none, expected files .jpeg, .jpg, .png"
    assert expected in message_of(image_names, tmp_path)
    assert "folder: found no such folder" in message_of(image_names, tmp_path / "none")
    assert "images: found none" in message_of(load_images, tmp_path, [])


# ---- order -------------------------------------------------------------------------------------------------


def test_names_of_one_place_in_the_order_are_refused(tmp_path):
    for name in ("img_001.png", "img_1.png", "img_2.png"):
        (tmp_path / name).touch()
    expected = "order: found img_001.png and img_1.png, whose numbers are equal"
    assert expected in message_of(image_names, tmp_path)


def test_hidden_files_are_no_images(tmp_path):
    for name in ("a.png", "._a.png"):
        (tmp_path / name).touch()
    assert image_names(tmp_path) == ["a.png"]


# ---- as a viewer shows them --------------------------------------------------------------------------------


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_turns_the_image(tmp_path, capsys, orientation):
    upright = np.random.default_rng(0).integers(0, 256, (12, 16, 3), np.uint8)
    # what a camera stores: the inverse of what the tag tells to do
    stored = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.transpose(1, 0, 2),
        6: np.rot90(upright, 1),
        7: upright[::-1, ::-1].transpose(1, 0, 2),
        8: np.rot90(upright, -1),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(np.ascontiguousarray(stored)).save(tmp_path / "0.png", exif=exif)
    Image.fromarray(upright).save(tmp_path / "1.png")
    np.testing.assert_array_equal(load_images(tmp_path, ["0.png", "1.png"]), [upright, upright])
    assert ("1 of 2 images are shown turned" in capsys.readouterr().out) == (orientation > 1)


def png(depth, colour, channels, size=(4, 3)):
    """A PNG file as bytes, with channels of `depth` bits."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    row = b"\0" + bytes(range(size[0] * channels * depth // 8))
    header = struct.pack(">IIBBBBB", *size, depth, colour, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(row * size[1]))
        + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize(("colour", "channels"), [(0, 1), (2, 3), (4, 2), (6, 4)])
def test_sixteen_bits_are_refused(tmp_path, colour, channels):
    (tmp_path / "0.png").write_bytes(png(16, colour, channels))
    message = message_of(load_images, tmp_path, ["0.png"])
    assert "16 bits a channel" in message or "mode I;16" in message
    (tmp_path / "0.png").write_bytes(png(8, 2, 3))
    assert load_images(tmp_path, ["0.png"]).shape == (1, 3, 4, 3)


@pytest.mark.parametrize("kind", ["PNG", "GIF", "WEBP"])
def test_animated_files_are_refused(tmp_path, kind):
    frames = [Image.effect_noise((16, 12), 50) for _ in range(3)]
    frames[0].save(tmp_path / "0.png", kind, save_all=True, append_images=frames[1:])
    assert "3 frames" in message_of(load_images, tmp_path, ["0.png"])


def test_the_second_picture_of_a_camera_is_no_frame(tmp_path):
    first, second = (Image.effect_noise((16, 12), 50) for _ in range(2))
    first.save(tmp_path / "0.jpg", "MPO", save_all=True, append_images=[second])
    first.save(tmp_path / "1.jpg")
    images = load_images(tmp_path, ["0.jpg", "1.jpg"])
    np.testing.assert_array_equal(images[0], images[1])


def test_alpha_without_transparent_pixels_is_no_fault(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (12, 16, 4), np.uint8)
    pixels[..., 3] = 255
    Image.fromarray(pixels).save(tmp_path / "0.png")
    np.testing.assert_array_equal(load_images(tmp_path, ["0.png"])[0], pixels[..., :3])
    pixels[3, 4, 3] = 254
    Image.fromarray(pixels).save(tmp_path / "0.png")
    assert "mode RGBA, transparent" in message_of(read_image, tmp_path / "0.png")


def test_colour_profiles_are_said(tmp_path, capsys):
    image = Image.effect_noise((16, 12), 50).convert("RGB")
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    image.save(tmp_path / "0.png", icc_profile=srgb)
    image.save(
        tmp_path / "1.png", icc_profile=srgb.replace(b"s\0R\0G\0B", b"A\0d\0o\0b").replace(b"sRGB", b"Adob")
    )
    load_images(tmp_path, ["0.png", "1.png"])
    assert "1 of 2 images have a colour profile other than sRGB" in capsys.readouterr().out


# ---- one size ----------------------------------------------------------------------------------------------


def test_images_are_brought_to_the_size_of_most(tmp_path, capsys):
    save_images(tmp_path, size=(12, 16))
    odd = Image.effect_noise((16, 12), 50).convert("RGB").resize((33, 25))
    odd.save(tmp_path / "4.png")
    images = load_images(tmp_path, image_names(tmp_path))
    assert images.shape == (10, 12, 16, 3)
    np.testing.assert_array_equal(images[4], odd.resize((16, 12), Image.Resampling.BILINEAR))
    assert "1 of 10 images were resized to 16 x 12 pixels: 4.png (33 x 25)" in capsys.readouterr().out


def test_resizing_has_no_aliases(tmp_path):
    stripes = np.zeros((80, 80), np.uint8)
    stripes[:, ::2] = 255
    for k in range(2):
        Image.new("L", (20, 20)).save(tmp_path / f"{k}.png")
    Image.fromarray(stripes).save(tmp_path / "2.png")
    resized = load_images(tmp_path, ["0.png", "1.png", "2.png"])[2]
    assert np.abs(resized[:, 2:-2].astype(int) - 127).max() < 12


def test_other_shapes_are_refused_unless_told(tmp_path):
    save_images(tmp_path, size=(12, 16))
    Image.new("RGB", (16, 13)).save(tmp_path / "4.png")
    names = image_names(tmp_path)
    assert message_of(load_images, tmp_path, names) == (
        f"{tmp_path / '4.png'}: size: found 16 x 13 pixels, expected 16 x 12 pixels, the size of most, or "
        "that shape to 5% (options.aspect_tolerance of the card)"
    )
    assert load_images(tmp_path, names, 0.1).shape == (10, 12, 16, 3)
