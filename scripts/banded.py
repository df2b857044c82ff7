"""Unique and shared variance of bands (layers or networks) in the responses of voxels."""

from cortexrsa.brain.responses import clean_responses
from cortexrsa.encoding.banded import encode_bands
from cortexrsa.encoding.folds import units_of
from cortexrsa.encoding.layers import bands_in_files
from cortexrsa.encoding.settings import EncodingSettings
from cortexrsa.encoding.stimuli import checked_stimuli
from cortexrsa.errors import concerning
from cortexrsa.formats.columns.banded import BANDED
from cortexrsa.formats.responses import read_responses
from cortexrsa.formats.tables import write_table
from cortexrsa.inference.design import design_of
from cortexrsa.inference.settings import Settings
from cortexrsa.jobs import job_log

with job_log(snakemake.log[0]):
    settings, paths = snakemake.params.settings, snakemake.input
    with concerning(paths.responses):
        responses, _ = clean_responses(read_responses(paths.responses))
    encoding = EncodingSettings(**settings["encoding"])
    folders = {
        network: [path for path in paths.activations if f"/{network}/" in path]
        for network in settings["networks"]
    }
    inference = Settings(**settings["inference"])
    with concerning(paths.responses):
        stimuli = checked_stimuli(paths.stimuli, responses)
        design = design_of(stimuli, inference.unit, inference.categories)
        table = encode_bands(
            bands_in_files(settings["bands"], folders, len(stimuli), encoding.units),
            responses,
            encoding,
            inference,
            units_of(stimuli, encoding.folds_by, design),
        )
    table.insert(0, "dataset", snakemake.wildcards.dataset)
    write_table(snakemake.output.table, table, settings, BANDED)
