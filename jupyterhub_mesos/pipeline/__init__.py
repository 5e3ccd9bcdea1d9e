"""The notebook as a pipeline: a project in git whose steps run in order, to a served model."""
