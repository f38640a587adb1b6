"""Statements that each step of a driver takes: compiled once, since SQLAlchemy takes longer than SQLite runs them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, CursorResult, Dialect, Insert, Select, Update

Processor = Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class _Compiled:
    """A statement as a driver of a database takes it.

    Attributes:
        text: The SQL.
        constants: Values that the statement itself has.
        processors: What a driver needs done to some parameters.
        order: Names of the parameters where the driver takes them by place; None where it takes them by name.
    """

    text: str
    constants: Mapping[str, Any]
    processors: Mapping[str, Processor]
    order: Sequence[str] | None


class Prepared:
    """A statement whose values are given each time it runs.

    Args:
        statement: Without Python defaults of columns, and without lists of values; of a query, numbers and text alone
            are what its driver returns.
        columns: Of an insert, the columns that are given.
    """

    def __init__(self, statement: Insert | Update | Select[Any], columns: Sequence[str] | None = None) -> None:
        self._statement, self._columns = statement, columns
        self._compiled: dict[tuple[str, str], _Compiled] = {}

    def run(self, connection: Connection, values: Mapping[str, Any]) -> CursorResult[Any]:
        """Run the statement with all of its values."""
        key = (connection.dialect.name, connection.dialect.driver)
        own = self._compiled.get(key) or self._compiled.setdefault(key, self._compile(connection.dialect))
        given = {**own.constants, **values}
        for name, processor in own.processors.items():
            given[name] = processor(given[name])
        if own.order is None:
            return connection.exec_driver_sql(own.text, given)
        return connection.exec_driver_sql(own.text, tuple([given[name] for name in own.order]))

    def _compile(self, dialect: Dialect) -> _Compiled:
        compiled = self._statement.compile(dialect=dialect, column_keys=self._columns)
        processors = {
            name: processor
            for bind, name in compiled.bind_names.items()
            if (processor := bind.type.dialect_impl(dialect).bind_processor(dialect)) is not None
        }
        return _Compiled(
            text=str(compiled),
            constants={name: bind.value for bind, name in compiled.bind_names.items() if not bind.required},
            processors=processors,
            order=compiled.positiontup,
        )
