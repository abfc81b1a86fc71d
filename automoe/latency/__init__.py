"""What is timed: features, the latency model, budgets, and profiling of architectures."""
