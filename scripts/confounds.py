"""Confound RDMs of a data set's stimuli."""

from dataclasses import replace

from cortexrsa.formats.columns.confounds import CONFOUNDS
from cortexrsa.formats.rdms import write_rdms
from cortexrsa.formats.stimuli import read_stimuli
from cortexrsa.formats.tables import write_table
from cortexrsa.geometry.registry import partial_comparison
from cortexrsa.inference.confounds import chosen_confounds, confound_rdms, told
from cortexrsa.jobs import job_log, warn

with job_log(snakemake.log[0]):
    settings = snakemake.params.settings
    images, stimuli = read_stimuli(snakemake.input.images, snakemake.input.stimuli)
    around = {key: settings[key] for key in ("background",) if key in settings}
    rdms = confound_rdms(images, stimuli, settings["confounds"], settings["dissimilarity"], **around)
    kept, table = chosen_confounds(rdms, partial_comparison(settings["comparison"]))
    for line in told(table):
        warn(f"{snakemake.wildcards.dataset}: {line}")
    rdms = replace(
        rdms,
        dissimilarities=rdms.dissimilarities[kept],
        rdm_descriptors=rdms.rdm_descriptors[kept].reset_index(drop=True),
    )
    table.insert(0, "dataset", snakemake.wildcards.dataset)
    write_table(snakemake.output.table, table, settings, CONFOUNDS)
    write_rdms(snakemake.output.rdms, rdms, settings)
