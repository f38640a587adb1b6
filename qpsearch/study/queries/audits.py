"""How often a study's pruner was wrong, where some of its trials were audited."""

from optuna.trial import TrialState
from sqlalchemy import Connection, select

from qpsearch.architecture.blocks import slowest
from qpsearch.architecture.config import TrialConfig
from qpsearch.space import Space
from qpsearch.study.records import AuditedKind
from qpsearch.study.search.audit import RungCurve, audit
from qpsearch.study.search.halving import rungs
from qpsearch.study.storage.optuna_tables import read_trials
from qpsearch.study.storage.tables import configs, trials


def audited_kinds(connection: Connection, study: int, space: Space) -> tuple[AuditedKind, ...]:
    """Return what audited trials say about the pruner, by kind of block; nothing where none were audited."""
    search = space.search
    options = search.pruner_options
    if not options.get("audit"):
        return ()
    query = (
        select(configs.c.trial_id, configs.c.config_json)
        .join(trials, trials.c.trial_id == configs.c.trial_id)
        .where(trials.c.study_id == study)
    )
    stratum = {
        row.trial_id: slowest(TrialConfig.from_json(row.config_json).network) for row in connection.execute(query)
    }
    sign = -search.objective.sign
    curves = [
        RungCurve(
            number=trial.number,
            stratum=stratum[trial._trial_id],
            losses={epoch: sign * value for epoch, value in trial.intermediate_values.items()},
            final=sign * trial.values[0] if trial.state is TrialState.COMPLETE and trial.values else None,
        )
        for trial in read_trials(connection, study)
    ]
    first = options.get("first")
    heights = rungs(space.most_epochs, None if first is None else int(first), int(options.get("factor") or 3))
    return audit(curves, heights, options, search.seed)
