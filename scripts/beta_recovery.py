"""Recovered against planted betas, and noise ceilings against those that the truth gives."""

from cortexrsa.brain.reliability import reliability_table
from cortexrsa.brain.responses import clean_responses
from cortexrsa.errors import concerning
from cortexrsa.formats.columns.beta_recovery import BETA_RECOVERY
from cortexrsa.formats.columns.ceilings import CEILINGS
from cortexrsa.formats.netcdf import read_dataset
from cortexrsa.formats.rdms import read_rdms
from cortexrsa.formats.responses import read_responses
from cortexrsa.formats.tables import read_table, write_table
from cortexrsa.geometry.regions import brain_rdms
from cortexrsa.geometry.registry import DISSIMILARITIES
from cortexrsa.jobs import job_log
from cortexrsa.validation.beta_recovery import align_truth, recovery_table, standardised_signal
from cortexrsa.validation.true_ceilings import add_true_ceilings

with job_log(snakemake.log[0]):
    settings = snakemake.params.settings
    with concerning(snakemake.input.responses):
        responses, _ = clean_responses(read_responses(snakemake.input.responses))
    with concerning(snakemake.input.truth):
        truth = align_truth(read_dataset(snakemake.input.truth, ["signal"]), responses)
    reliability = None
    if "repeat" in responses.dims:
        reliability = reliability_table(responses, settings["ceiling_splits"], settings["seed"])
    measured = read_rdms(snakemake.input.brain)
    # without noise there is none to divide by
    dissimilarity = DISSIMILARITIES[measured.dissimilarity_measure].of_layers
    with concerning(snakemake.input.truth):
        true = brain_rdms(standardised_signal(truth), dissimilarity)
    table = add_true_ceilings(
        recovery_table(responses, truth, reliability),
        measured,
        true,
        read_table(snakemake.input.ceilings, CEILINGS),
        settings["comparison"],
    )
    write_table(snakemake.output.table, table, settings, BETA_RECOVERY)
