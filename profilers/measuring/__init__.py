"""This package runs the measuring protocol: sessions, rounds, blocks and their intervals."""
