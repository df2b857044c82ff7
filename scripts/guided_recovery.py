"""H9 in simulated studies of training with a brain, of one world and one loss."""

from cortexrsa.formats.columns.guided_recovery import GUIDED_EXPERIMENTS
from cortexrsa.formats.tables import write_table
from cortexrsa.jobs import job_log
from cortexrsa.validation.guided import Sample, experiments

with job_log(snakemake.log[0]):
    settings, wildcards = snakemake.params.settings, snakemake.wildcards
    table = experiments(
        wildcards.world.replace("_", " "),
        wildcards.loss,
        Sample(int(wildcards.stimuli), int(wildcards.unseen)),
        settings["studies"],
        settings["claims"],
        settings["seed"],
    )
    write_table(snakemake.output.table, table, settings, GUIDED_EXPERIMENTS)
