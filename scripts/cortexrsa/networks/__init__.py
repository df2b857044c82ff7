"""Networks: architectures, weights, layers, activations and training."""
