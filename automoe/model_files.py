"""Name the file that describes a model, for those that cannot wait until torch is imported."""

DESCRIPTION = "model.json"
