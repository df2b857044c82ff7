"""All layouts by name."""

from standins import algonauts, bold5000, brainscore, glmsingle, laion, nsd, things

LAYOUTS = {
    "nsd": nsd.make,
    "things_fmri": things.make,
    "bold5000": bold5000.make,
    "algonauts2023": algonauts.make,
    "laion_fmri": laion.make,
    "brainscore": brainscore.make,
    "glmsingle": glmsingle.make,
    "lab": glmsingle.make_lab,
}
