"""Scores of all layers of a network in all ROIs under other measures than that of the study."""

from cortexrsa.errors import concerning
from cortexrsa.formats.columns.guidance import GUIDANCE
from cortexrsa.formats.netcdf import write_dataset
from cortexrsa.formats.rdms import RDMs, read_rdms
from cortexrsa.formats.tables import read_table
from cortexrsa.inference.explained import sources_of
from cortexrsa.inference.measures import Sources, measure_network
from cortexrsa.inference.set_apart import set_apart
from cortexrsa.inference.settings import Settings
from cortexrsa.jobs import job_log

with job_log(snakemake.log[0]):
    settings, given = snakemake.params.settings, snakemake.input
    guidance = given.get("guidance")
    guidance = guidance and read_table(guidance, GUIDANCE)

    def read(path: str) -> RDMs:
        # of many stimuli they are too large to be in memory together
        return set_apart(read_rdms(path, in_memory=False), guidance)

    network, brain = read(given.network), read(given.brain)
    confounds, families = None, ()
    if given.get("confounds"):
        own = read_rdms(given.confounds)
        confounds, families = own.dissimilarities, sources_of(own)
    inference = Settings(**settings["inference"])
    with concerning(given.network):
        distances = None
        if given.get("brain_distances"):
            distances = read(given.network_distances), read(given.brain_distances)
        data = Sources(network, brain, settings["comparison"], confounds, distances, families)
        scores = measure_network(data, settings["measures"], inference, snakemake.threads)
    write_dataset(snakemake.output.scores, scores, settings)
