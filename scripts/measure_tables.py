"""Tables of all measures: every layer, and the ranks of the networks under each."""

from pathlib import Path

from cortexrsa.formats.columns.measures import MEASURE_RANKS, MEASURES, RDM_VARIANCE
from cortexrsa.formats.netcdf import read_dataset
from cortexrsa.formats.tables import write_table
from cortexrsa.inference.explained_table import rdm_variance_table
from cortexrsa.inference.measure_tables import measures_table, ranks_table
from cortexrsa.inference.settings import Settings
from cortexrsa.inference.study import read_results
from cortexrsa.jobs import job_log, warn

with job_log(snakemake.log[0]):
    settings, dataset = snakemake.params.settings, snakemake.wildcards.dataset
    comparison, inference = settings["comparison"], Settings(**settings["inference"])
    if settings["unit"]:
        others = "errors and tests of measures other than RSA and encoding"
        warn(f"{dataset}: {others} are over single stimuli, whatever the card's unit")
    measured = {Path(path).stem: read_dataset(path) for path in snakemake.input.measures}
    by_measure = {
        measure: {name: result.sel(measure=measure) for name, result in measured.items()}
        for measure in settings["measures"]
    }
    # RSA in one pass, with errors over the same stimuli as the others
    own = by_measure.pop(comparison)
    others = by_measure | {
        "encoding": {
            Path(path).stem: read_dataset(path).sel(estimator=settings["encoding"])
            for path in snakemake.input.get("encoding", [])
        },
        "soft_matching": {
            Path(path).stem: read_dataset(path) for path in snakemake.input.get("soft_matching", [])
        },
    }
    others = {measure: found for measure, found in others.items() if found}
    rsa = read_results(snakemake.input.scores)
    table = measures_table({"rsa": rsa} | others, dataset, comparison, inference)
    write_table(snakemake.output.measures, table, settings, MEASURES)
    ranks = ranks_table({"rsa": own} | others, dataset, inference, settings["variants"])
    write_table(snakemake.output.ranks, ranks, settings, MEASURE_RANKS)
    # errors over the same stimuli as those of RSA
    variance = rdm_variance_table(own, dataset, inference)
    write_table(snakemake.output.variance, variance, settings, RDM_VARIANCE)
