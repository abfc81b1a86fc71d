"""Name the files of a run's folder, for those that cannot wait until torch is imported."""

CONFIG = "config.json"
LATENCY_LOG = "latency.csv"
PREDICTOR = "predictor.skops"
SUPERNET = "supernet"
SEARCH_STATE = "search.jsonl"
VERIFICATION = "verification.csv"
RESULT = "result.json"
REPORT = "report.html"
WINNER, BASELINE = MODELS = "winner", "baseline"  # folders of the final models
ARCHITECTURE = "architecture.json"  # in the folder of a final model
PRECISION = "precision.json"  # what the precision of the run costs in BLEU, there too
