"""This module gives the ids of the tokens that every vocabulary has at the same place."""

PAD = 0
BOS = 1
EOS = 2
UNK = 3
