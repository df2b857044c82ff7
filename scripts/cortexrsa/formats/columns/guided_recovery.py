"""Columns of the tables of the study of training with the brain."""

from dataclasses import replace

from cortexrsa.formats.columns.recovery import EXPERIMENTS, RECOVERY

GUIDED_EXPERIMENTS = replace(
    EXPERIMENTS,
    file="guided_recovery/{world}-{loss}-{stimuli}-stimuli-{unseen}-others.csv",
    row="a question to one simulated study",
)
GUIDED_RECOVERY = replace(RECOVERY, file="guided_recovery/recovery.csv")
