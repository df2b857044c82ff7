"""Columns of the index of a training corpus."""

from cortexrsa.formats.tables import Column, Table

CORPUS = Table(
    {
        "file": Column("text", "path of the image below the corpus's folder, or its name"),
        "category": Column("text", "its category; empty where the images have none"),
        "split": Column("text", "train, or validation: held out"),
    },
    file="corpora/{corpus}/index.tsv",
    row="an image, in the order of `images.npy` where there is one",
)
