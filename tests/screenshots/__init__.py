"""Pictures of all pages, over a real hub and service with a month behind them: `make screenshots`."""
