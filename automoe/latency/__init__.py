"""Latency: its features and its model, budgets, and the profiling of architectures."""
