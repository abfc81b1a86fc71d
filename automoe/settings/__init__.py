"""The settings of trainings, searches and measurements; importing them is quick."""
