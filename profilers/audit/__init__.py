"""Whether a log may be fitted as it is, and which rows say no."""
