"""Evaluate the fitness of a candidate: its loss, its BLEU, or a function of the user."""
