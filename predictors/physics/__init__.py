"""This package derives the work behind a row from the columns of known tables of others."""

from predictors.physics.recognition import Physics, recognise

__all__ = ["Physics", "recognise"]
