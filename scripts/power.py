"""Shares of verdicts over simulated studies of one design, effect and number of stimuli."""

from cortexrsa.claim_names import Cast
from cortexrsa.formats.columns.power import POWER
from cortexrsa.formats.tables import write_table
from cortexrsa.jobs import job_log
from cortexrsa.validation.power import Design, power

with job_log(snakemake.log[0]):
    settings, wildcards = snakemake.params.settings, snakemake.wildcards
    roles = settings["roles"]
    design = Design(
        settings["families"], settings["reliability"], settings["subjects"], float(wildcards.effect)
    )
    cast = Cast(settings["families"], roles["networks"], roles["rois"], settings["lineages"])
    table = power(
        design,
        int(wildcards.stimuli),
        settings["claims"],
        cast,
        settings["studies"],
        settings["inference"]["seed"],
        settings["inference"]["confidence"],
    )
    write_table(snakemake.output.table, table, settings, POWER)
