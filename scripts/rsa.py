"""Scores of all layers of a network in all ROIs, with their errors and tests against zero."""

from cortexrsa.errors import concerning
from cortexrsa.formats.columns.guidance import GUIDANCE
from cortexrsa.formats.columns.stimuli import STIMULI
from cortexrsa.formats.netcdf import write_dataset
from cortexrsa.formats.rdms import read_rdms
from cortexrsa.formats.tables import read_table
from cortexrsa.inference.design import design_of
from cortexrsa.inference.scores import score_network
from cortexrsa.inference.set_apart import set_apart
from cortexrsa.inference.settings import Settings
from cortexrsa.inference.stimuli_apart import stimuli_apart
from cortexrsa.jobs import job_log

with job_log(snakemake.log[0]):
    settings = snakemake.params.settings
    # of many stimuli they are too large to be in memory together
    network, brain = (
        read_rdms(path, in_memory=False) for path in (snakemake.input.network, snakemake.input.brain)
    )
    without = snakemake.input.get("without")
    without = without and read_rdms(without, in_memory=False)
    inference = Settings(**settings["inference"])
    with concerning(snakemake.input.stimuli):
        stimuli = read_table(snakemake.input.stimuli, STIMULI)
        design = design_of(stimuli, inference.unit, inference.categories)
    if guidance := snakemake.input.get("guidance"):
        apart = stimuli_apart(stimuli, read_table(guidance, GUIDANCE), design)
        network, brain = set_apart(network, apart), set_apart(brain, apart)
    with concerning(snakemake.input.network):
        scores = score_network(
            network, brain, settings["comparison"], inference, snakemake.threads, without, design
        )
    write_dataset(snakemake.output.scores, scores, settings)
