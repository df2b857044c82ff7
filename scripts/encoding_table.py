"""Table of the encoding scores of all networks."""

from cortexrsa.encoding.reliability import UNKNOWN
from cortexrsa.encoding.table import encoding_table, read_encodings
from cortexrsa.formats.columns.encoding import ENCODING
from cortexrsa.formats.tables import write_table
from cortexrsa.inference.settings import Settings
from cortexrsa.jobs import job_log, warn

with job_log(snakemake.log[0]):
    settings = snakemake.params.settings
    results = read_encodings(snakemake.input.scores)
    dataset, trained_on = snakemake.wildcards.dataset, settings["trained_on"]
    table = encoding_table(results, dataset, Settings(**settings["inference"]), trained_on)
    if (table["reliability_source"] == UNKNOWN).any():
        warn(f"{dataset}: reliability is {UNKNOWN}, so encoding scores are not corrected for noise")
    write_table(snakemake.output.table, table, settings, ENCODING)
