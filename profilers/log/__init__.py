"""The CSV log of measurements, any other CSV log, and the comparison of two."""
