"""This package holds the settings of trainings and searches. It imports nothing slow."""
