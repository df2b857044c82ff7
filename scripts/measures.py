"""Scores of all layers of a network in all ROIs under other measures than that of the study."""

from cortexrsa.errors import concerning
from cortexrsa.formats.columns.guidance import GUIDANCE
from cortexrsa.formats.netcdf import write_dataset
from cortexrsa.formats.rdms import read_rdms
from cortexrsa.formats.tables import read_table
from cortexrsa.inference.explained import sources_of
from cortexrsa.inference.measures import Sources, measure_network
from cortexrsa.inference.set_apart import set_apart
from cortexrsa.inference.settings import Settings
from cortexrsa.inference.stimuli_apart import stimuli_apart
from cortexrsa.jobs import job_log

with job_log(snakemake.log[0]):
    settings, given = snakemake.params.settings, snakemake.input
    # of many stimuli they are too large to be in memory together
    network, brain = (read_rdms(path, in_memory=False) for path in (given.network, given.brain))
    apart = None
    if given.get("guidance"):
        apart = stimuli_apart(network.pattern_descriptors, read_table(given.guidance, GUIDANCE))
    confounds, families = None, ()
    if given.get("confounds"):
        read = read_rdms(given.confounds)
        confounds, families = read.dissimilarities, sources_of(read)
    inference = Settings(**settings["inference"])
    with concerning(given.network):
        distances = None
        if given.get("brain_distances"):
            paths = given.network_distances, given.brain_distances
            distances = tuple(set_apart(read_rdms(path, in_memory=False), apart) for path in paths)
        network, brain = set_apart(network, apart), set_apart(brain, apart)
        data = Sources(network, brain, settings["comparison"], confounds, distances, families)
        scores = measure_network(data, settings["measures"], inference, snakemake.threads)
    write_dataset(snakemake.output.scores, scores, settings)
