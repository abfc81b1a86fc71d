"""The worker of TensorRT and TensorRT for RTX.

Engines are built here, on the device that runs them, and kept in a folder that only this user can
write: loading an engine is running native code. What is needed besides is NumPy, and the library of
the CUDA runtime.
"""
