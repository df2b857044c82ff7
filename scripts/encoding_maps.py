"""Maps of the best layer of every voxel and its score, of all networks and subjects, and a figure of them."""

import nibabel as nib

from cortexrsa.encoding.table import read_encodings
from cortexrsa.figures.maps import plot_maps, voxel_maps, write_maps
from cortexrsa.figures.style import draw, marked
from cortexrsa.jobs import job_log
from cortexrsa.storage import write_provenance

with job_log(snakemake.log[0]):
    settings, out = snakemake.params.settings, snakemake.output
    means = dict(zip(settings["subjects"], map(nib.load, snakemake.input.mean), strict=True))
    first, shown = next(iter(means)), {}
    for model, result in read_encodings(snakemake.input.scores).items():
        for subject, mean in means.items():
            maps = voxel_maps(result, settings["estimator"], f"sub-{subject}", mean)
            write_maps(out.maps, model, f"sub-{subject}", maps)
            # of a card with several seeds the first one
            if subject == first and model in settings["models"]:
                shown[model] = maps
    write_provenance(f"{out.maps}/maps", settings, {})
    models = marked(settings["models"], snakemake.input.get("learning"))
    drawn = shown, means[first], models, f"sub-{first}"
    draw(out.encoding_maps_svg, out.encoding_maps_png, plot_maps, *drawn)
