"""Parallel text: corpora, vocabularies and batches."""
