"""What each network receives of some stimuli, after its preprocessing."""

from cortexrsa.formats.netcdf import write_dataset
from cortexrsa.formats.stimuli import read_stimuli
from cortexrsa.jobs import job_log
from cortexrsa.networks.inputs import effective_inputs
from cortexrsa.networks.settings import Preprocessing

with job_log(snakemake.log[0]):
    settings = snakemake.params.settings
    images, stimuli = read_stimuli(snakemake.input.images, snakemake.input.stimuli)
    preprocessing = {model: Preprocessing(**card) for model, card in settings["models"].items()}
    inputs = effective_inputs(images, stimuli, preprocessing, settings["degrees"])
    write_dataset(snakemake.output.inputs, inputs, settings)
