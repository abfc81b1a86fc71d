"""This program runs on the device: it loads workloads, runs blocks of samples and reads sensors.

It reads one JSON request a line from stdin and answers each with one JSON line on stdout. The
client decides what is measured when. The program arrives as a zip, with `devices/sensors`, and
nothing of AutoMoE is installed there: at module level it imports the standard library and these two
packages, and its syntax is that of Python 3.8. The runtime (ONNX Runtime, or TensorRT in the folder
`tensorrt`) and NumPy are imported when they are first needed. So a missing one is reported in an
answer, and the program does not crash.
"""
