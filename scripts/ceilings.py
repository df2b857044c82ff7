"""Noise ceilings of every ROI."""

from cortexrsa.brain.responses import clean_responses
from cortexrsa.errors import concerning
from cortexrsa.formats.columns.ceilings import CEILINGS
from cortexrsa.formats.columns.stimuli import STIMULI
from cortexrsa.formats.rdms import read_rdms
from cortexrsa.formats.responses import read_responses
from cortexrsa.formats.tables import read_table, write_table
from cortexrsa.inference.ceilings.table import ceiling_table
from cortexrsa.inference.design import design_of
from cortexrsa.inference.names import PRIMARY, SELECTION
from cortexrsa.inference.settings import Settings, few_people
from cortexrsa.inference.smallest import small
from cortexrsa.jobs import job_log, warn

with job_log(snakemake.log[0]):
    settings = snakemake.params.settings
    inference = Settings(**settings["inference"])
    with concerning(snakemake.input.stimuli):
        stimuli = read_table(snakemake.input.stimuli, STIMULI)
        design = design_of(stimuli, inference.unit, inference.categories)
    brain = read_rdms(snakemake.input.brain, in_memory=False)  # of many stimuli they are large
    people = brain.rdm_descriptors["subject"].nunique()
    for caveat in (few_people(inference.subject_effect, people), design.caveat() if design else ""):
        if caveat:
            warn(f"{snakemake.wildcards.dataset}: intervals and claims are {caveat}")
    split = brain.pattern_descriptors["split"]
    tested = (split == PRIMARY).to_numpy()
    sampled = design and not design.fixed
    for told in small(
        int(tested.sum()),
        SELECTION not in set(split),
        len(set(design.labels[tested])) if sampled else None,
        1 if inference.fixed_subjects(people) else people,
    ):
        warn(f"{snakemake.wildcards.dataset}: {told}")
    responses = None
    if path := snakemake.input.get("responses"):
        with concerning(path):
            responses, _ = clean_responses(read_responses(path))
    table = ceiling_table(
        brain,
        responses,
        snakemake.wildcards.dataset,
        settings["comparison"],
        inference,
        snakemake.threads,
        design,
    )
    write_table(snakemake.output.table, table, settings, CEILINGS)
