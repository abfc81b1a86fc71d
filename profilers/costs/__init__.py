"""This package counts what an ONNX graph costs, without running it: FLOPs, bytes and memory."""
