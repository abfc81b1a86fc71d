"""This package describes what one sample runs: graphs, calls and the tensors between them."""
