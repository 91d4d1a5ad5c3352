"""What the files of a pack are called, for those who write and those who check."""

MANIFEST, README, SCRIPT = "manifest.json", "README.txt", "recompute.py"
EVIDENCE, PLAN, RESULT, SIGNOFF = "evidence.json", "plan.json", "result.json", "signoff.json"
PARQUET, CSV, AUDIT = "data.parquet", "data.csv", "audit.jsonl"
PDF, HTML = "report.pdf", "report.html"
FORMAT = 1
