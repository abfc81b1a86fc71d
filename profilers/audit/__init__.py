"""This package checks whether a log may be fitted as it is, and names the rows with problems."""
