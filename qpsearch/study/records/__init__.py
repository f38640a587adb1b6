"""Trials, configurations and studies as records, for tables, figures and the command line."""

from qpsearch.study.records.configurations import ConfigurationRecord, Confirmation, sd_of
from qpsearch.study.records.studies import (
    AUDIT_MEANS,
    RETRIED_MEANS,
    RETRIED_TIME_MEANS,
    Account,
    AuditedKind,
    StudySummary,
)
from qpsearch.study.records.trials import AttemptRecord, RunRecord, TrialDetail, TrialRecord, blocks_of

__all__ = [
    "AUDIT_MEANS",
    "RETRIED_MEANS",
    "RETRIED_TIME_MEANS",
    "Account",
    "AttemptRecord",
    "AuditedKind",
    "ConfigurationRecord",
    "Confirmation",
    "RunRecord",
    "StudySummary",
    "TrialDetail",
    "TrialRecord",
    "blocks_of",
    "sd_of",
]
