"""What an ONNX graph costs without running it: FLOPs, bytes, memory, shapes."""
