"""How good a candidate is: its loss, its BLEU, or a function of the user."""
