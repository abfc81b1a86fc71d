"""What the columns of a table that is not ours say about the work behind a row."""

from predictors.physics.recognition import Physics, recognise

__all__ = ["Physics", "recognise"]
