"""Compare the representations of deep networks with those of the human visual cortex."""
