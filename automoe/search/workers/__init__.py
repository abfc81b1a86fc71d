"""Where fitness is evaluated: here, in several processes, or on a cluster."""
