"""The native REST API outside the hot path: the ledger, feedback, imports, and their document."""
