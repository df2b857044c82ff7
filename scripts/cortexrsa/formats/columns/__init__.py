"""The columns of every table of the workflow: a module for each script that writes tables."""
