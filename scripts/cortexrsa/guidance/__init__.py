"""Training with the brain: losses, targets, controls, stimuli that are not seen, the training."""
