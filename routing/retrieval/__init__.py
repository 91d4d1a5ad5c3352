"""Looking things up, without a database: cutting, searching, fusing, choosing, measuring."""
