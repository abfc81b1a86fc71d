"""Descriptions of a sparse Transformer, of the space it is drawn from, its sentence and cost."""
