"""Networks compared with each other, with the noise ceiling and with their controls; and their ranks."""

from pathlib import Path

from cortexrsa.formats.columns.ceilings import CEILINGS
from cortexrsa.formats.columns.comparisons import COMPARISONS, RANKS
from cortexrsa.formats.tables import read_table, write_table
from cortexrsa.inference.ceilings.primary import primary_ceilings
from cortexrsa.inference.comparisons import compare_networks, read_parts
from cortexrsa.inference.settings import Settings
from cortexrsa.jobs import job_log, warn

with job_log(snakemake.log[0]):
    settings = snakemake.params.settings
    inference = Settings(confidence=settings["confidence"], seed=settings["seed"])
    paths = {Path(path).stem: path for path in snakemake.input.scores}
    if len(settings["controls"]) < 2:
        warn("a study of one network: there are no pairs of networks to compare")
    comparisons, ranks = compare_networks(
        read_parts(paths, inference.seed, settings["variants"]),
        primary_ceilings(read_table(snakemake.input.ceilings, CEILINGS)),
        settings["controls"],
        snakemake.wildcards.dataset,
        settings["comparison"],
        inference,
    )
    write_table(snakemake.output.comparisons, comparisons, settings, COMPARISONS)
    write_table(snakemake.output.ranks, ranks, settings, RANKS)
