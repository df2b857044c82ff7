"""Columns of `robustness.csv`."""

from cortexrsa.formats.tables import Column, Table

ROBUSTNESS = Table(
    {
        "model": Column("text", "name of the network's card"),
        "seed": Column("integer", "which of the card's random seeds, from 1"),
        "reader": Column(
            "text",
            "who names the category: classifier (the supervised network itself) or probe (a linear one on "
            "what other networks compute, fitted to images without corruption)",
        ),
        "corruption": Column(
            "text",
            "none, noise, blur, contrast, or pgd (the worst that gradients find, each pixel within a budget)",
        ),
        "strength": Column(
            "integer", "of the corruption", unit="1 to 5; 0: none (of pgd: the same images as they are)"
        ),
        "size": Column(
            "number",
            "noise: its SD, of pixels from 0 to 1; blur: SD in pixels of the input; contrast: what is left "
            "of it; pgd: the budget, of pixels from 0 to 1; missing for none",
        ),
        "accuracy": Column("number", "share of held-out images whose category is named", unit="0 to 1"),
        "ci_low": Column("number", "lower limit of its 95 % interval over images (Wilson)", unit="0 to 1"),
        "ci_high": Column("number", "upper limit of its 95 % interval over images (Wilson)", unit="0 to 1"),
        "chance": Column("number", "share of the most frequent category of the corpus", unit="0 to 1"),
        "images": Column("integer", "number of held-out images"),
    },
    file="{dataset}/robustness.csv",
    row="a network, one of its seeds, under one strength of a corruption",
)
