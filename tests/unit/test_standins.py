"""The stand-ins themselves: what is planted is there, and each quirk hides it from whoever forgets it."""

import h5py
import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from scipy.io import loadmat

from standins import nsd
from standins.ceilings import ncsnr, noise_ceiling
from standins.layouts import LAYOUTS
from standins.world import pictures, plant


def correlations(a: pd.DataFrame, b: pd.DataFrame) -> np.ndarray:
    """Pearson r of every voxel over the stimuli that both have."""
    common = a.index.intersection(b.index)
    return np.array([np.corrcoef(a.loc[common, voxel], b.loc[common, voxel])[0, 1] for voxel in a])


@pytest.mark.parametrize("layout", LAYOUTS)
def test_averages_of_session_z_scores_show_what_was_planted(layout, tmp_path):
    standin = LAYOUTS[layout](tmp_path / layout)
    for person in standin.people.values():
        repeated = person.trials["stimulus_id"].value_counts() > 1
        for roi in person.rois:
            zscored = layout != "algonauts2023"
            r = correlations(person.expected(roi, zscored), person.planted(roi))
            assert np.median(r) > (0.9 if repeated.all() else 0.8), roi
            # differences between sessions are larger than the signal, where there are several
            if person.trials["session"].nunique() > 1:
                assert np.median(correlations(person.expected(roi, False), person.planted(roi))) < 0.75


def test_one_seed_gives_one_stand_in(tmp_path):
    a, b = (nsd.make(tmp_path / name, seed=3, people={"subj01": 2}) for name in "ab")
    np.testing.assert_array_equal(a.people["subj01"].betas, b.people["subj01"].betas)


def test_the_stand_in_of_nsd_has_the_layout_of_the_release(tmp_path):
    """Table of the layout: names, keys, dtypes, axis order, scale, signs, indexing from 1."""
    standin = nsd.make(tmp_path)
    place = tmp_path / "nsddata_betas/ppdata/subj01/func1pt8mm/betas_fithrf_GLMdenoise_RR"
    x, y, z = nib.load(tmp_path / "nsddata/ppdata/subj01/func1pt8mm/roi/prf-visualrois.nii.gz").shape
    with h5py.File(place / "betas_session01.hdf5") as file:
        betas = file["betas"]
        assert (betas.dtype, betas.shape) == (np.int16, (nsd.LENGTH, z, y, x))
        assert betas.chunks == (nsd.LENGTH, 1, 1, 1)
        volumes = nib.load(place / "betas_session01.nii.gz")
        assert volumes.dataobj.slope == 1
        assert volumes.get_data_dtype() == np.int16
        np.testing.assert_array_equal(np.asarray(volumes.dataobj), betas[()].T)
    design = loadmat(tmp_path / "nsddata/experiments/nsd/nsd_expdesign.mat")
    order, numbers = design["masterordering"], design["subjectim"]
    assert order.shape == (1, nsd.SESSIONS * nsd.LENGTH)
    assert (order.min(), order.max()) == (1, numbers.shape[1])
    # an index that is one too high points outside
    assert numbers.max() == nsd.IMAGES
    # by the formula of the manual, trial by trial
    ids = [f"{numbers[0, order[0, t] - 1] - 1}" for t in range(order.size)]
    assert standin.people["subj01"].trials["stimulus_id"].tolist() == ids
    assert (np.isin(numbers[0, order[0] - 1], design["sharedix"]) == (order[0] <= nsd.SHARED)).all()
    with h5py.File(tmp_path / "nsddata_stimuli/stimuli/nsd/nsd_stimuli.hdf5") as file:
        assert (file["imgBrick"].dtype, file["imgBrick"].shape[0]) == (np.uint8, nsd.IMAGES)
        np.testing.assert_array_equal(file["imgBrick"][7], standin.images["7"])
    labels = np.asarray(nib.load(tmp_path / "nsddata/ppdata/subj01/func1pt8mm/roi/streams.nii.gz").dataobj)
    assert set(np.unique(labels)) == {-1, 0, 1, 5}


def test_the_independent_noise_ceiling_is_right_where_the_truth_is_known():
    """A signal of variance 1 and noise of variance 1.5: ncsnr^2 = 1 / 1.5."""
    rng = np.random.default_rng(0)
    names = np.repeat([f"{k:04d}" for k in range(3000)], 3)
    shown = pd.DataFrame({"session": 1, "stimulus_id": names})
    images = pictures(rng, sorted(set(names)), 6)
    person = plant(rng, shown, images, 4, noise=np.sqrt(1.5), drift=0)
    ratio = ncsnr(person.zscored(), names)
    np.testing.assert_allclose(ratio**2, 1 / 1.5, rtol=0.08)
    np.testing.assert_allclose(noise_ceiling(person.zscored(), names), 100 / (1 + 1.5 / 3), rtol=0.03)
    np.testing.assert_allclose(noise_ceiling(person.zscored(), names, averaged=1), 40, rtol=0.06)
