"""This package tells whether TensorRT can parse a graph, and which nodes it refuses."""
