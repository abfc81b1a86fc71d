"""This package describes architectures, their search space, their sentence and their cost."""
