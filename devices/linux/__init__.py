"""This package reads what Linux says about a machine, for every plugin that runs on Linux."""
