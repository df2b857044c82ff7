"""Betas of one subject's runs, with the images and the design that the figures show."""

from pathlib import Path

import nibabel as nib
import numpy as np

from cortexrsa.brain.betas import fit_subject
from cortexrsa.brain.loaders.bids_folder import read_folder
from cortexrsa.brain.settings import GLMSettings
from cortexrsa.formats.columns.design import DESIGN
from cortexrsa.formats.netcdf import write_dataset
from cortexrsa.formats.tables import write_table
from cortexrsa.jobs import job_log, warn
from cortexrsa.storage import atomic_path, write_provenance

with job_log(snakemake.log[0]):
    settings = snakemake.params.settings
    # of all subjects: no GLM before the whole folder is sound, and none again for a file of somebody else
    read_folder(settings["folder"], settings["rois"], settings["options"])
    subject = fit_subject(
        settings["folder"],
        settings["rois"],
        settings["options"],
        snakemake.wildcards.subject,
        GLMSettings(**settings["glm"]),
    )
    for text in subject.warnings:
        warn(text)
    masks = np.stack(list(subject.masks.values()), axis=-1).astype(np.uint8)
    for path, values in (
        (snakemake.output.mean, subject.mean.astype(np.float32)),
        (snakemake.output.tsnr, subject.tsnr.astype(np.float32)),
        (snakemake.output.rois, masks),
    ):
        with atomic_path(path) as temporary:
            nib.save(nib.Nifti1Image(values, subject.affine), temporary)
            write_provenance(path, settings, {Path(path).name: temporary})
    write_table(snakemake.output.design, subject.design.reset_index(names="time"), settings, DESIGN)
    write_dataset(snakemake.output.betas, subject.betas.to_dataset(), settings)
