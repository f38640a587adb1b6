"""What a study says, from Python: which settings matter, what they do, and which are better."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from qpsearch.api.given import PathLike, path_text, texts, trial_numbers, word
from qpsearch.space.schema.numbers import SHARE, checked
from qpsearch.study.storage.database import Database
from qpsearch.vocabulary import Evaluator, SplitName

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from qpsearch.analysis.compare.comparison import Comparison
    from qpsearch.analysis.effects import EffectTable
    from qpsearch.analysis.importance import ImportanceTable
    from qpsearch.runner.evaluating import StudyEvaluation


class Answers:
    """The answers of a ``Study``.

    Attributes:
        name: The study's name.
    """

    name: str

    @property
    def storage(self) -> str:
        """Its database: the absolute path of an SQLite file, or a URL."""
        raise NotImplementedError

    @property
    def _database(self) -> Database:
        raise NotImplementedError

    def importance(self, evaluator: str = Evaluator.ANOVA) -> ImportanceTable:
        """Say which parameters affect the first objective most, and how surely that is known.

        Returns:
            A table: its ``importances`` have ``parameter``, ``importance`` (the total share of the variance), ``first``
            (the share alone), ``low`` and ``high``; ``nothing.sentence`` says whether anything is there at all.

        Args:
            evaluator: ``anova``, ``fanova``, ``mdi`` or ``ped-anova``, as in ``qpsearch importance --evaluator``.

        Raises:
            UserError: There are too few trials, or there is no such evaluator.

        Example:
            >>> import qpsearch
            >>> table = qpsearch.load_study("many").importance()
            >>> sorted(each.parameter for each in table.importances)
            ['network.stages.0.block', 'training.optimizer.sgd.lr']
        """
        from qpsearch.analysis.importance import importance
        from qpsearch.analysis.subject import Subject

        evaluator = word(Evaluator, evaluator, "evaluator")
        return importance(Subject.of(self._database, self.name), evaluator=evaluator)

    def plot_importance(self, evaluator: str = Evaluator.ANOVA) -> go.Figure:
        """Draw ``importance`` as bars with intervals.

        Args:
            evaluator: As in ``importance``.

        Raises:
            UserError: As in ``importance``.

        Example:
            >>> import qpsearch
            >>> type(qpsearch.load_study("many").plot_importance()).__name__
            'Figure'
        """
        from qpsearch.analysis.figures import importance_bars

        return importance_bars(self.importance(evaluator))

    def effects(self) -> EffectTable:
        """Say what each block at each stage and each rule does to the first objective, and how surely.

        Returns:
            A table: its ``effects`` have ``parameter``, ``level``, ``reference``, ``effect``, ``low`` and ``high``, in
            the unit of the objective; ``notes`` are sentences to read first.

        Raises:
            UserError: There are too few trials.

        Example:
            >>> import qpsearch
            >>> table = qpsearch.load_study("many").effects()
            >>> [(each.level, each.reference) for each in table.effects]
            [('quotient', 'additive'), ('product_unit', 'additive')]
        """
        from qpsearch.analysis.effects import effects
        from qpsearch.analysis.subject import Subject

        return effects(Subject.of(self._database, self.name))

    def plot_effects(self) -> go.Figure:
        """Draw ``effects`` with their intervals.

        Raises:
            UserError: As in ``effects``.

        Example:
            >>> import qpsearch
            >>> type(qpsearch.load_study("many").plot_effects()).__name__
            'Figure'
        """
        from qpsearch.analysis.figures import effect_forest

        return effect_forest(self.effects())

    def compare(
        self, by: str | Sequence[str] = (), *, trials: Sequence[int] | None = None, on: str = SplitName.TEST
    ) -> Comparison:
        """Say which arms are better, by how much and how surely, as ``qpsearch compare`` does.

        Args:
            by: A parameter, or several, whose values are the arms; a pattern, or the last words of one, will do.
            trials: Trials whose configurations are the arms. Without both, the points of a small grid, or tuned arms.
            on: ``test`` reads, once, the test images of what has not been read, and the study keeps a record of that;
                ``validation`` compares the scores of the training.

        Returns:
            The ``arms``, the ``pairs`` with differences, intervals and p values, and what they mean as ``sentences``.

        Raises:
            UserError: There are no such arms, or the study cannot tell them apart.
            DataError: The data set, whose test images are read, cannot be had.
            ArtifactError: Weights are gone.

        Example:
            >>> import qpsearch
            >>> found = qpsearch.load_study("many").compare("block", on="validation")
            >>> sorted(arm.name for arm in found.arms)
            ['additive', 'product_unit', 'quotient']
        """
        from qpsearch.analysis.compare.table import compared
        from qpsearch.runner.looks import read_test_images

        return compared(
            self._database,
            self.name,
            by=texts(by, "by", "block"),
            trials=trial_numbers(trials, "trials"),
            split=word(SplitName, on, "on"),
            read=lambda study, numbers: read_test_images(self.storage, study, numbers, lambda text: None),
        )

    def evaluate(
        self, trials: Sequence[int] | None = None, *, noise: str | Sequence[str] = (), target: float | None = None
    ) -> StudyEvaluation:
        """Evaluate trained networks on the test images, as ``qpsearch evaluate`` does: for the last word.

        The study keeps a record of each look at the test images.

        Args:
            trials: Complete trials; None for those of the best configuration, or for every point of a grid.
            noise: Poisson noise beside clean images, one level or several: ``poisson:LEVEL``, where a pixel's variance
                is the level times its brightness.
            target: Count the epochs to this accuracy on validation images, from 0 to 1.

        Returns:
            What was tested as ``trials``, each with the ``mean``, the ``sd`` and the ``runs`` of its ``accuracies`` at
            each level of noise; and how often the study has looked before, as ``looks_before``.

        Raises:
            UserError: One of the trials is not complete, or was not trained here; the noise cannot be read; or epochs
                are to be counted in a study that holds out no validation images.
            DataError: The data set cannot be had.
            ArtifactError: Weights are gone.

        Example:
            >>> import qpsearch
            >>> found = qpsearch.load_study("smoke").evaluate([0, 1])
            >>> [tested.trial for tested in found.trials], len(found.trials[0].accuracies[0].runs)
            ([0, 1], 1)
        """
        from qpsearch.runner.evaluating import evaluate

        return evaluate(
            self.storage,
            self.name,
            trials=trial_numbers(trials, "trials"),
            noise=texts(noise, "noise", "poisson:0.05"),
            target=checked(SHARE, target, "target"),
        )

    def report(self, path: PathLike | None = None) -> Path:
        """Write the study as one HTML page that opens offline, as ``qpsearch report`` does.

        Args:
            path: The page; None for ``studies/STUDY.html``.

        Returns:
            The path of the page.

        Raises:
            UserError: The file cannot be written.

        Example:
            >>> import qpsearch
            >>> qpsearch.load_study("smoke").report("smoke.html").name
            'smoke.html'
        """
        from qpsearch.analysis.report import default_path, write_report

        text = path_text(path, "path")
        place = default_path(self.name) if text is None else Path(text)
        write_report(self.storage, self.name, place)
        return place
