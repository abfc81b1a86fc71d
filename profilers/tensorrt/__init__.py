"""Whether TensorRT takes a graph, and which node it refuses."""
