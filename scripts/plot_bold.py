"""Figures of the BOLD: ROIs over the mean image, tSNR, design matrix."""

import nibabel as nib

from cortexrsa.figures.bold import plot_design, plot_masks, plot_tsnr
from cortexrsa.figures.style import draw
from cortexrsa.formats.columns.design import DESIGN
from cortexrsa.formats.tables import read_table
from cortexrsa.jobs import job_log

with job_log(snakemake.log[0]):
    subjects, rois = (snakemake.params.settings[key] for key in ("subjects", "rois"))
    masks, means, tsnrs = (
        dict(zip(subjects, map(nib.load, snakemake.input[name]), strict=True))
        for name in ("rois", "mean", "tsnr")
    )
    designs = {
        subject: read_table(path, DESIGN)
        for subject, path in zip(subjects, snakemake.input.design, strict=True)
    }
    out = snakemake.output
    over_mean = {subject: (means[subject], masks[subject]) for subject in subjects}
    over_tsnr = {subject: (tsnrs[subject], masks[subject]) for subject in subjects}
    draw(out.masks, plot_masks, over_mean, rois)
    draw(out.tsnr, plot_tsnr, over_tsnr, rois)
    draw(out.design, plot_design, designs)
