"""Brain data: data sets, reliability and the simulated study."""
