"""Views by what they must keep, and one draw for each image."""

import pytest
import torch

from cortexrsa.networks.augmentation import Views


def views(images, settings, seed=0):
    torch.manual_seed(seed)
    return Views(settings, images.shape[-1])(images)


@pytest.mark.parametrize(
    "settings",
    [
        {"rotation": 180},
        {"scale": [0.7, 1.2]},
        {"shift": 0.2},
        {"contrast": [0.5, 2]},
        {"brightness": 0.2},
        {"crop": [0.3, 1.0]},
        {"blur": 1.0, "noise": 0.1},
    ],
)
def test_every_image_has_its_own_draw(settings):
    images = torch.rand(1, 1, 24, 24, generator=torch.Generator().manual_seed(1)).expand(6, -1, -1, -1)
    found = views(images, settings)
    assert found.shape == images.shape
    assert ((found >= 0) & (found <= 1)).all()
    assert len(torch.unique(found.flatten(1), dim=0)) == 6
    assert torch.equal(found, views(images, settings))
    assert not torch.equal(found, views(images, settings, seed=1))


def test_flips_and_polarity_take_every_second_image():
    image = torch.rand(1, 1, 24, 24, generator=torch.Generator().manual_seed(1))
    images = image.expand(12, -1, -1, -1)
    flipped = views(images, {"flip": True})
    same = [torch.allclose(view, image[0], atol=1e-5) for view in flipped]
    mirrored = [torch.allclose(view, image[0].flip(-1), atol=1e-5) for view in flipped]
    assert any(same)
    assert any(mirrored)
    assert all(a or b for a, b in zip(same, mirrored, strict=True))
    inverted = views(images, {"polarity": True})
    same = [torch.allclose(view, image[0], atol=1e-5) for view in inverted]
    negative = [torch.allclose(view, 1 - image[0], atol=1e-5) for view in inverted]
    assert any(same)
    assert any(negative)
    assert all(a or b for a, b in zip(same, negative, strict=True))


def test_an_affine_view_fills_with_grey_and_keeps_to_its_bounds():
    image = torch.full((64, 1, 33, 33), 0.5)
    image[:, 0, 15:18, 15:18] = 1
    moved = views(image, {"shift": 0.5})
    rows, columns = ((moved[:, 0] == moved[:, 0].amax((1, 2), keepdim=True)).float().amax(d) for d in (2, 1))
    shifts = torch.cat([rows.argmax(1), columns.argmax(1)]) - 16
    # of half the image: 0.5 * 16.5
    assert shifts.abs().max() <= 9
    assert shifts.abs().max() >= 5
    turned = views(torch.zeros(4, 1, 32, 32), {"rotation": 45, "scale": [0.5, 0.6]})
    torch.testing.assert_close(turned[:, 0, 0, 0], torch.full((4,), 0.5))
    assert (turned[:, 0, 16, 16] == 0).all()


def test_contrast_is_about_grey():
    found = views(torch.tensor([0.4, 0.6]).view(1, 1, 1, 2).expand(50, 1, 2, 2), {"contrast": [0.5, 2.0]})
    torch.testing.assert_close(found[..., 0] + found[..., 1], torch.ones(50, 1, 2))
    spread = (found[..., 1] - found[..., 0])[:, 0, 0]
    assert 0.1 - 1e-6 <= spread.min() < 0.15
    assert 0.35 < spread.max() <= 0.4 + 1e-6


def test_colour_settings_act_on_three_channels():
    images = torch.rand(32, 3, 16, 16, generator=torch.Generator().manual_seed(1))
    grey = views(images, {"grayscale": 1.0})
    torch.testing.assert_close(grey[:, 0], grey[:, 1])
    jittered = views(images, {"jitter": [0.4, 0.4, 0.4, 0.1]})
    changed = (jittered - images).abs().amax((1, 2, 3)) > 1e-3
    assert 16 <= changed.sum() < 32
    assert views(images[:, :1], {"jitter": [0.4, 0.4, 0.4, 0.1]}).shape == images.shape


def test_no_settings_change_nothing():
    images = torch.rand(3, 3, 8, 8)
    torch.testing.assert_close(views(images, {}), images)


def test_aperture_is_grey_outside():
    settings = {"shift": 0.3, "noise": 0.2, "brightness": 0.2, "aperture": True}
    view = views(torch.rand(2, 1, 32, 32), settings)
    assert (view[:, :, 0, 0] == 0.5).all()
    assert view[:, :, 12:20, 12:20].std() > 0.1
