"""What is described: a sparse Transformer, the space it is drawn from, its sentence and cost."""
