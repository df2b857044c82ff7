"""Coverage of intervals, or error rates of tests, over simulated studies of one size and signal."""

from cortexrsa.formats.arrays import load_array
from cortexrsa.formats.columns.calibration import COVERAGE, FALSE_POSITIVES
from cortexrsa.formats.tables import write_table
from cortexrsa.jobs import job_log
from cortexrsa.validation.calibration import SIGNALS, coverage, false_positives

with job_log(snakemake.log[0]):
    settings, wildcards = snakemake.params.settings, snakemake.wildcards
    subjects, stimuli = int(wildcards.subjects), int(wildcards.stimuli)
    simulations, seed = settings["simulations"], settings["seed"]
    if wildcards.signal == "none":
        columns = FALSE_POSITIVES
        table = false_positives(subjects, stimuli, simulations, settings["permutations"], seed)
    else:
        noise = SIGNALS[wildcards.signal]
        truth = load_array(snakemake.input.truth)
        columns = COVERAGE
        methods = tuple(settings["methods"])
        table = coverage(subjects, stimuli, noise, truth, simulations, settings["draws"], seed, methods)
    table = table.assign(subjects=subjects, stimuli=stimuli, signal=wildcards.signal)
    write_table(snakemake.output.table, table, settings, columns)
