"""One file per step, oldest first; a step that was shipped is never edited."""
