"""The procedural world: deterministic, balanced, and without a low-level shortcut to the category."""

import numpy as np
import pytest
from scipy import ndimage, stats

from cortexrsa.brain.simulated import images as world


@pytest.fixture(scope="module")
def drawn():
    return world.make_images(600, 64, seed=5)


def test_same_seed_gives_the_same_images_and_another_seed_others(drawn):
    images, factors = drawn
    again, factors_again = world.make_images(600, 64, seed=5)
    np.testing.assert_array_equal(images, again)
    assert factors.equals(factors_again)
    other, other_factors = world.make_images(600, 64, seed=6)
    assert (images != other).any(axis=(1, 2)).all()
    assert not np.isclose(factors["x"], other_factors["x"]).any()


def test_factors_do_not_depend_on_the_size():
    assert world.make_images(20, 32, seed=5)[1].equals(world.make_images(20, 48, seed=5)[1])


def test_images_are_bytes_of_the_asked_shape_with_one_row_of_factors_each(drawn):
    images, factors = drawn
    assert images.shape == (600, 64, 64)
    assert images.dtype == np.uint8
    assert len(factors) == 600
    assert not factors.isna().any(axis=None)


@pytest.mark.parametrize("n", [120, 125])
def test_categories_are_balanced_and_in_their_families(n):
    factors = world.make_images(n, 32, seed=1)[1]
    counts = factors["category"].value_counts()
    assert set(counts.index) == set(world.CATEGORIES)
    assert counts.max() - counts.min() <= 1
    for family, members in world.FAMILIES.items():
        assert set(factors.loc[factors["family"] == family, "category"]) == set(members)


def test_twelve_categories_in_four_families_of_three():
    assert len(set(world.CATEGORIES)) == 12
    assert [len(members) for members in world.FAMILIES.values()] == [3, 3, 3, 3]
    assert set(world.SHAPES) == set(world.CATEGORIES)


def test_no_factor_tells_the_category():
    factors = world.draw_factors(6000, np.random.default_rng(0))
    groups = factors["category"]
    continuous = [c for c in factors if c not in ("category", "family", "polarity")]
    p = [stats.f_oneway(*(factors.loc[groups == g, c] for g in world.CATEGORIES)).pvalue for c in continuous]
    table = [[((groups == g) & (factors["polarity"] == s)).sum() for s in (-1, 1)] for g in world.CATEGORIES]
    p.append(stats.chi2_contingency(table).pvalue)
    # Bonferroni over factors, and together they look uniform
    assert min(p) > 0.01 / len(p)
    assert stats.kstest(p, "uniform").pvalue > 0.01


def test_factors_are_independent_of_each_other():
    factors = world.draw_factors(6000, np.random.default_rng(1)).drop(columns=["category", "family"])
    correlations = np.corrcoef(factors.to_numpy().T)[np.triu_indices(factors.shape[1], 1)]
    assert np.abs(correlations).max() < 5 / np.sqrt(6000)


def test_background_statistics_do_not_tell_the_category(drawn):
    """Pixels far from any object hold no category information."""
    images, factors = drawn
    x, y = world.pixel_grid(64)
    # the rim of the window, beyond the reach of the objects' centres
    ring = (np.hypot(x, y) > 0.86) & (np.hypot(x, y) < 0.88 + world.APERTURE_EDGE)
    background_only = np.abs(images[:, ring].astype(float) - 128)
    groups = [background_only[factors["category"] == g].mean(axis=1) for g in ("ellipse", "triangle", "ring")]
    assert stats.kruskal(*groups).pvalue > 0.001


def test_aperture_leaves_constant_grey_outside(drawn):
    images, _ = drawn
    x, y = world.pixel_grid(64)
    outside = np.hypot(x, y) >= 1
    assert outside.sum() > 700
    assert (images[:, outside] == 128).all()
    assert (images[:, ~outside].std(axis=1) > 1).all()


def test_object_lies_where_the_factors_say():
    """With a faint background, the centre of an ellipse is its centre of contrast and has its polarity."""
    images, factors = world.make_images(1200, 64, seed=2)
    chosen = (factors["category"] == "ellipse") & (factors["background_contrast"] < 0.06)
    error, sign = [], []
    for image, row in zip(images[chosen], factors[chosen].itertuples(), strict=True):
        smooth = row.polarity * (ndimage.gaussian_filter(image.astype(float), 2) - 128)
        weight = np.where(smooth > 0.6 * smooth.max(), smooth, 0)
        centre_y, centre_x = (np.array(ndimage.center_of_mass(weight)) + 0.5) / 32 - 1
        error.append(np.hypot(centre_x - row.x, centre_y - row.y))
        sign.append(smooth[round((row.y + 1) * 32), round((row.x + 1) * 32)] > 0)
    assert len(error) > 20
    assert np.median(error) < 0.1
    assert np.mean(sign) > 0.95


def test_aspect_stretches_and_size_scales_the_object():
    factors = world.draw_factors(2, np.random.default_rng(0)).assign(
        category="ellipse", x=0.0, y=0.0, rotation=0.0, aspect=1.2, size=[0.6, 0.45]
    )
    columns = {
        name: factors[name].to_numpy(np.float32)[:, None, None]
        for name in ("x", "y", "rotation", "aspect", "size", "thickness", "roundness")
    }
    inside = world.object_distance(factors["category"].to_numpy(), columns, *world.pixel_grid(400)) < 0
    width, height = inside.any(axis=1).sum(axis=1), inside.any(axis=2).sum(axis=1)
    np.testing.assert_allclose(width / height, 1.2**2, rtol=0.02)
    np.testing.assert_allclose(width[0] / width[1], 0.6 / 0.45, rtol=0.02)


def test_noise_has_the_asked_slope_and_orientation():
    shape = (200, 1, 1)
    noise = world.oriented_noise(
        np.full(shape, 1.4, np.float32),
        np.full(shape, np.pi / 2, np.float32),
        np.full(shape, 1.0, np.float32),
        64,
        np.random.default_rng(0),
    )
    np.testing.assert_allclose(noise.mean(axis=(1, 2)), 0, atol=1e-5)
    np.testing.assert_allclose(noise.std(axis=(1, 2)), 1, rtol=1e-4)
    amplitude = np.sqrt((np.abs(np.fft.fft2(noise)) ** 2).mean(axis=0))
    frequency = np.arange(2, 30)
    slope = np.polyfit(np.log(frequency), np.log(amplitude[frequency, 0]), 1)[0]
    assert slope == pytest.approx(-1.4, abs=0.05)
    # orientation pi/2 is that of the vertical frequencies: exp(1) there, exp(-1) across
    ratio = amplitude[frequency, 0] / amplitude[0, frequency]
    assert np.median(ratio) == pytest.approx(np.exp(2), rel=0.1)


@pytest.mark.parametrize("category", world.CATEGORIES)
def test_each_shape_has_an_inside_within_reach_and_an_outside(category):
    x, y = world.pixel_grid(65)
    u, v = np.broadcast_arrays(x * 1.6, y * 1.6)
    distance = world.SHAPES[category](u, v, np.float32(0.5), np.float32(0.5))
    inside = distance < 0
    assert 0.05 < inside.mean() < 0.45
    assert not inside[np.hypot(u, v) > 1.25].any()
    # no shape is the union of separate parts
    assert ndimage.label(inside)[1] == 1
