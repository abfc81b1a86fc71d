"""The program that runs on the device: it loads workloads, runs blocks of samples, reads sensors.

It reads one JSON request a line from stdin and answers each with one JSON line on stdout. The host
decides what is measured when. It arrives as a zip, with `devices/sensors`, and nothing of us is
installed there: at module level it imports the standard library and these two packages, and its
syntax is that of Python 3.8. The runtime (ONNX Runtime, or in the folder `tensorrt` TensorRT) and
NumPy are imported when they are first needed, so that what is missing is an answer and no crash.
"""
