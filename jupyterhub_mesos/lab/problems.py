"""What goes wrong on a route, as the browser reads it: a sentence, and where it belongs."""

from __future__ import annotations

from http import HTTPStatus

from pydantic import ValidationError

from jupyterhub_mesos.errors import CapacityError, InvalidInput, WorkloadError
from jupyterhub_mesos.lab.messages import LabProblem


class FieldProblem(InvalidInput):
    """One field of a dialog does not hold; `field` is its name in the order."""

    def __init__(self, message: str, *, field: str) -> None:
        super().__init__(message)
        self.field = field

    @classmethod
    def of(cls, error: ValidationError) -> FieldProblem:
        """Name every field that does not hold; the first is the one to look at."""
        problems = [
            (".".join(map(str, found["loc"])) or "the order", found["msg"]) for found in error.errors()
        ]
        return cls("; ".join(f"{name}: {message}" for name, message in problems), field=problems[0][0])


def problem_of(error: CapacityError) -> LabProblem:
    """Return the answer to an error of ours."""
    return LabProblem(
        title=HTTPStatus(error.status).phrase,
        status=error.status,
        detail=str(error),
        code=error.code,
        cell=error.cell if isinstance(error, WorkloadError) else None,
        line=error.line if isinstance(error, WorkloadError) else None,
        field=error.field if isinstance(error, FieldProblem) else None,
    )
