"""The JSON schema of everything that JupyterLab's part reads and writes; TypeScript's types are made of it.

`python -m jupyterhub_mesos.lab.schema` prints it; `npm run types` in `ui/labextension` does the rest.
"""

from __future__ import annotations

import hashlib
import json
import sys
from typing import Final

from pydantic.json_schema import GenerateJsonSchema, models_json_schema
from pydantic_core import core_schema

from jupyterhub_mesos.lab import lake_messages, messages
from jupyterhub_mesos.wire import LogView, ProgressView, RequestView, StepEvent, Wire

MODELS: Final[tuple[type[Wire], ...]] = (
    RequestView,
    ProgressView,
    LogView,
    StepEvent,
    messages.LabProblem,
    messages.TrainForm,
    messages.Choices,
    messages.TrainOrder,
    messages.ExportOrder,
    messages.ServeOrder,
    messages.PipelineForm,
    messages.PipelineOrder,
    messages.PipelinePushed,
    messages.RunOrder,
    messages.KernelCode,
    messages.Candidates,
    messages.KernelEnvironment,
    messages.ExportBegan,
    messages.ExportStep,
    messages.ExportDone,
    messages.ExportFailed,
    lake_messages.LakeSources,
    lake_messages.LakeListing,
    lake_messages.LakeEntry,
    lake_messages.LakePreview,
    lake_messages.LakeFolderOrder,
)


class _AllSaid(GenerateJsonSchema):
    """Every field is there in what we send, those with a default, too."""

    def field_is_required(
        self,
        field: core_schema.ModelField | core_schema.DataclassField | core_schema.TypedDictField,
        total: bool,
    ) -> bool:
        return True


def schema_text() -> str:
    """Return the schema, the same at every call."""
    _, schema = models_json_schema([(model, "serialization") for model in MODELS], schema_generator=_AllSaid)
    return json.dumps(schema, indent=2, sort_keys=True) + "\n"


def fingerprint() -> str:
    """Return the schema's sha256, which the generated types carry."""
    return hashlib.sha256(schema_text().encode()).hexdigest()


if __name__ == "__main__":
    sys.stdout.write(schema_text())
