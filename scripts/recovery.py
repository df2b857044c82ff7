"""Simulated experiments of one scenario, with truth planted in the layers of a network."""

from cortexrsa.formats.columns.recovery import EXPERIMENTS
from cortexrsa.formats.tables import write_table
from cortexrsa.jobs import job_log
from cortexrsa.validation.recovery import Pool, experiments, read_layers

with job_log(snakemake.log[0]):
    settings, shards = snakemake.params.settings, snakemake.input
    pool = Pool(read_layers(shards.network), read_layers(shards.other), read_layers(shards.low_level))
    scenario = snakemake.wildcards.scenario.replace("_", " ")
    table = experiments(pool, scenario, settings["experiments"], settings["seed"])
    write_table(snakemake.output.table, table, settings, EXPERIMENTS)
