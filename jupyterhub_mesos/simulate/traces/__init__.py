"""What a replay reads: traces in five formats, and the service's own ledger.

`table` and its kinds (`text`, `parquet`, `swf`, `slurm`) give rows, `columns` says which cell is what,
`reading` makes jobs of them, `faults` counts the rows that are none, `trace` puts it together.
"""
