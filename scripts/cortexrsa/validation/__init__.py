"""Do the methods keep what they promise: calibration, recovery of planted truth."""
