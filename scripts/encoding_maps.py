"""Maps of the best layer of every voxel and its score, of all networks and subjects; of volumes a figure."""

import json

import nibabel as nib
import numpy as np

from cortexrsa.encoding.table import read_encodings
from cortexrsa.figures import maps
from cortexrsa.figures.style import draw, marked
from cortexrsa.formats.responses import read_responses
from cortexrsa.jobs import job_log, warn
from cortexrsa.storage import write_provenance

with job_log(snakemake.log[0]):
    settings, out = snakemake.params.settings, snakemake.output
    if mean := snakemake.input.get("mean"):
        means = dict(zip(settings["subjects"], map(nib.load, mean), strict=True))
        means = {f"sub-{subject}": mean for subject, mean in means.items()}
        spaces = {name: [{"grid": mean.shape, "affine": mean.affine}] for name, mean in means.items()}
    else:
        # responses from elsewhere have no mean BOLD to lie on
        means, spaces = {}, json.loads(read_responses(snakemake.input.responses).attrs["spaces"])
    shown, first = {}, next(iter(spaces))
    for model, result in read_encodings(snakemake.input.scores).items():
        for subject, parts in spaces.items():
            chosen = result, settings["estimator"], subject
            form = maps.form_of(parts)
            if form == "surface":
                maps.write_surfaces(out.maps, model, subject, maps.surface_maps(*chosen, parts))
            elif form == "volume":
                images = maps.voxel_maps(*chosen, parts[0]["grid"], np.array(parts[0]["affine"]))
                maps.write_maps(out.maps, model, subject, images)
                # of a card with several seeds the first one
                if subject == first and model in settings["models"]:
                    shown[model] = images
    if not any(map(maps.form_of, spaces.values())):
        warn("encoding_maps: responses without a space (an array, or values of a mask) have no maps")
    write_provenance(f"{out.maps}/maps", settings, {})
    models = marked(settings["models"], snakemake.input.get("learning"))
    drawn = shown, means.get(first), models, first
    draw(out.encoding_maps, maps.plot_maps, *drawn)
