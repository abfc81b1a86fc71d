"""What Linux says about a machine, for every plugin that runs on it."""
