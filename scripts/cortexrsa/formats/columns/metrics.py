"""Columns of `metrics.csv`."""

from cortexrsa.formats.tables import Column, Table

METRICS = Table(
    {
        "metric": Column(
            "text",
            "training_loss, held_out_loss; on held-out images accuracy, knn_accuracy, probe_accuracy, "
            "chance, reconstruction_r2, kl; of training with the brain training_similarity and "
            "validation_similarity with the target",
        ),
        "value": Column(
            "number",
            "its value",
            unit="losses and kl: nats; accuracies and chance: 0 to 1; R² and similarities: up to 1",
        ),
        "step": Column("integer", "when it was measured; 0 is the untrained network", unit="images seen"),
    },
    file="networks/{model}/metrics.csv",
    row="a metric at one time of a training",
)
