"""Download the files of a card."""

from pathlib import Path

from cortexrsa.downloads import fetch
from cortexrsa.jobs import job_log

with job_log(snakemake.log[0]):
    fetch(
        snakemake.wildcards.card,
        snakemake.params.settings,
        snakemake.output[0],
        mirror=None,  # CORTEXRSA_MIRROR is in the environment
        lock=Path(snakemake.output[0]).parent / "checksums.lock",
    )
