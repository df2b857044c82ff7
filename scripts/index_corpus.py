"""List the images of a training corpus that lies in a folder."""

from cortexrsa.errors import concerning
from cortexrsa.formats.columns.corpus import CORPUS
from cortexrsa.formats.tables import write_table
from cortexrsa.jobs import job_log
from cortexrsa.networks.corpora import index_folder

with job_log(snakemake.log[0]):
    settings = snakemake.params.settings
    with concerning(f"corpus {snakemake.wildcards.corpus}"):
        index = index_folder(settings["options"])
    write_table(snakemake.output.index, index, settings, CORPUS)
