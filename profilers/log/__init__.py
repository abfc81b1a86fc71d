"""This package reads and writes the CSV log of measurements, reads any other, and compares two."""
