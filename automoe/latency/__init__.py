"""This package measures and predicts latencies of architectures and checks budgets."""
