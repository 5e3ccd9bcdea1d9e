"""From a trace's rows to jobs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol

from jupyterhub_mesos.simulate.jobs import Job
from jupyterhub_mesos.simulate.traces.cells import is_missing, moment, number, signed, span, text, whole
from jupyterhub_mesos.simulate.traces.columns import Columns, Field, Source, recognise
from jupyterhub_mesos.simulate.traces.faults import Fault, RowFault
from jupyterhub_mesos.simulate.traces.table import Cells, Table
from jupyterhub_mesos_quota.model import WorkloadKind
from jupyterhub_mesos_quota.resources import Flavor, Resources

GPU: Final = Flavor("gpu")
"""The flavor of a trace's GPUs where neither it nor the operator names one."""

Found = tuple[int, Job | RowFault]
"""A row's number, and the job in it or why there is none."""


class JobSource(Protocol):
    """Where jobs come from; `jobs` may be asked for again and again, and begins anew each time."""

    @property
    def noun(self) -> str:
        """What a row's number counts."""
        ...

    def jobs(self) -> Iterator[Found]:
        """Yield every row's job, in the trace's order."""
        ...


@dataclass(frozen=True, slots=True)
class Defaults:
    """What a job is where its row does not say."""

    team: str | None = None
    flavor: Flavor = GPU
    kind: WorkloadKind = WorkloadKind.TRAINING


@dataclass(slots=True)
class TableJobs:
    """The jobs of a table. Raises `InvalidInput` where its columns do not say what a job needs."""

    table: Table
    told: Columns
    defaults: Defaults
    columns: Columns = field(init=False)
    _sizes: dict[tuple[int, int, int, str], Resources] = field(
        default_factory=dict[tuple[int, int, int, str], Resources]
    )

    def __post_init__(self) -> None:
        told = {**self._known(), **self.told}
        self.columns = recognise(self.table.names, told, has_team=self.defaults.team is not None)

    def _known(self) -> Columns:
        """Return what the format itself says, less the columns that were told to hold something else."""
        taken = {source.column for source in self.told.values()}
        return {field: source for field, source in self.table.known.items() if source.column not in taken}

    @property
    def noun(self) -> str:
        """What a row's number counts."""
        return self.table.noun

    def jobs(self) -> Iterator[Found]:
        """Yield every row's job; its id is its row's number, which no trace gives twice."""
        for row in self.table.rows():
            if isinstance(row.cells, RowFault):
                yield row.number, row.cells
                continue
            try:
                job = self._job(row.number, row.cells)
            except RowFault as fault:
                yield row.number, fault
            else:
                yield row.number, job

    def _job(self, row: int, cells: Cells) -> Job:
        team = self._text(cells, Field.TEAM, self.defaults.team)
        limit = self._cell(cells, Field.LIMIT)
        session = self._cell(cells, Field.SESSION)
        return Job(
            id=str(row),
            team=team,
            user=self._text(cells, Field.USER, team),
            kind=self._kind(cells),
            submit_s=self._submit(cells),
            duration_s=self._duration(cells),
            replicas=max(1, self._whole(cells, Field.REPLICAS, 1)),
            resources=self._resources(cells),
            priority=self._priority(cells),
            max_seconds=None if is_missing(limit) else span(limit, *self._named(Field.LIMIT)),
            session=None if is_missing(session) else text(session, self.columns[Field.SESSION].column),
        )

    def _submit(self, cells: Cells) -> float:
        field = Field.SUBMIT if Field.SUBMIT in self.columns else Field.START
        return moment(self._cell(cells, field), *self._named(field))

    def _duration(self, cells: Cells) -> float:
        if Field.DURATION in self.columns:
            return span(self._cell(cells, Field.DURATION), *self._named(Field.DURATION))
        start = moment(self._cell(cells, Field.START), *self._named(Field.START))
        end = moment(self._cell(cells, Field.END), *self._named(Field.END))
        if end < start:
            raise RowFault(Fault.NEGATIVE, f"it ends {start - end:g} s before it starts")
        return end - start

    def _resources(self, cells: Cells) -> Resources:
        cpus = self._amount(cells, Field.CPUS)
        memory = self._amount(cells, Field.MEMORY)
        gpus = self._whole(cells, Field.GPUS, 0)
        flavor = self._text(cells, Field.FLAVOR, self.defaults.flavor)
        size = (round(cpus * 1000), round(memory), gpus, flavor)
        if size not in self._sizes:  # one value for all that are alike
            self._sizes[size] = Resources.of(size[0], size[1], {Flavor(flavor): gpus})
        return self._sizes[size]

    def _amount(self, cells: Cells, field: Field) -> float:
        cell = self._cell(cells, field)
        if is_missing(cell):
            return 0.0
        name, factor = self._named(field)
        return number(cell, name) * factor

    def _whole(self, cells: Cells, field: Field, default: int) -> int:
        cell = self._cell(cells, field)
        return default if is_missing(cell) else whole(cell, self.columns[field].column)

    def _priority(self, cells: Cells) -> int:
        cell = self._cell(cells, Field.PRIORITY)
        return 0 if is_missing(cell) else signed(cell, self.columns[Field.PRIORITY].column)

    def _kind(self, cells: Cells) -> WorkloadKind:
        cell = self._cell(cells, Field.KIND)
        if is_missing(cell):
            return self.defaults.kind
        try:
            return WorkloadKind(str(cell).strip().lower())
        except ValueError as error:
            name, kinds = self.columns[Field.KIND].column, ", ".join(WorkloadKind)
            raise RowFault(Fault.UNREADABLE, f"{name} is {cell!r}; possible: {kinds}") from error

    def _text(self, cells: Cells, field: Field, default: str | None) -> str:
        cell = self._cell(cells, field)
        if is_missing(cell) and default is not None:
            return default
        return text(cell, self.columns[field].column if field in self.columns else field)

    def _cell(self, cells: Cells, field: Field) -> object:
        source = self.columns.get(field)
        return None if source is None else cells.get(source.column)

    def _named(self, field: Field) -> tuple[str, float]:
        source: Source = self.columns[field]
        return source.column, source.factor


def described(columns: Columns) -> Mapping[str, str]:
    """Say which column was taken for what."""
    return {field.value: source.column for field, source in columns.items()}
