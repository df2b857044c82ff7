"""What training with a brain gains over every control, in likeness to the brain, task and robustness."""

from pathlib import Path

import pandas as pd

from cortexrsa.errors import InputError
from cortexrsa.formats.columns.ceilings import CEILINGS
from cortexrsa.formats.columns.guidance import GUIDANCE
from cortexrsa.formats.columns.guided import GUIDED
from cortexrsa.formats.columns.learning import LEARNING
from cortexrsa.formats.columns.robustness import ROBUSTNESS
from cortexrsa.formats.columns.stimuli import STIMULI
from cortexrsa.formats.netcdf import read_dataset
from cortexrsa.formats.rdms import read_rdms
from cortexrsa.formats.tables import read_table, write_table
from cortexrsa.inference.guided import attainable_of, gains_table, tasks_table
from cortexrsa.inference.held_out import HELD_OUT, held_out_scores
from cortexrsa.inference.settings import Settings
from cortexrsa.inference.study import read_results
from cortexrsa.jobs import job_log, warn
from cortexrsa.seeds import file_of

with job_log(snakemake.log[0]):
    settings, given, dataset = snakemake.params.settings, snakemake.input, snakemake.wildcards.dataset
    inference, guided = Settings(**settings["inference"]), settings["guided"]
    measured = {Path(path).stem: read_dataset(path) for path in given.get("measures", [])}
    results = {"rsa": read_results(given.scores)}
    results |= {
        measure: {name: result.sel(measure=measure) for name, result in measured.items()}
        for measure in settings["measures"]
    }
    encoded = {
        Path(path).stem: read_dataset(path).sel(estimator=settings["encoding"])
        for path in given.get("encoding", [])
    }
    if encoded:
        results["encoding"] = encoded
    bounds = attainable_of(read_table(given.ceilings, CEILINGS), encoded)
    tables = [read_table(path, ROBUSTNESS) for path in given.robustness]
    robustness = pd.concat(tables, ignore_index=True)
    write_table(snakemake.output.robustness, robustness, settings, ROBUSTNESS)
    parts = [gains_table(results, guided, bounds, dataset, inference)]
    for path in given.get("guidance", []):
        name = Path(path).parent.name
        own = {
            Path(file).stem: read_rdms(file) for file in given.networks if file_of(Path(file).stem) == name
        }
        brain, guidance, stimuli = (
            read_rdms(given.brain),
            read_table(path, GUIDANCE),
            read_table(given.stimuli, STIMULI),
        )
        if not guidance["category_held_out"].any():
            continue
        try:
            found = held_out_scores(own, brain, guidance, stimuli, settings["comparison"], inference)
        except InputError as error:
            warn(f"{name}: guided.csv has no rows `{HELD_OUT}`: {error}")
            continue
        # no ceiling of these stimuli alone is known
        parts.append(gains_table({HELD_OUT: found}, {name: guided[name]}, {}, dataset, inference))
    parts += [
        tasks_table(read_table(given.learning, LEARNING), robustness, guided, dataset, inference.confidence),
    ]
    table = pd.concat([part for part in parts if len(part)], ignore_index=True)
    write_table(snakemake.output.gains, table, settings, GUIDED)
