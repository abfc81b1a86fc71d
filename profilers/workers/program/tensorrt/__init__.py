"""The worker of TensorRT and TensorRT for RTX builds engines on the device that runs them.

It keeps engines in a folder that only this user can write, because loading an engine runs native
code. It also needs NumPy and the library of the CUDA runtime.
"""
