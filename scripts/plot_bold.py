"""Figures of the BOLD: ROIs over the mean image, tSNR, design matrix."""

import nibabel as nib

from cortexrsa.figures.bold import plot_design, plot_masks, plot_tsnr
from cortexrsa.figures.style import save
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
    figures = {
        "masks": plot_masks({subject: (means[subject], masks[subject]) for subject in subjects}, rois),
        "tsnr": plot_tsnr({subject: (tsnrs[subject], masks[subject]) for subject in subjects}, rois),
        "design": plot_design(designs),
    }
    for name, figure in figures.items():
        save(figure, snakemake.output[f"{name}_svg"], snakemake.output[f"{name}_png"])
