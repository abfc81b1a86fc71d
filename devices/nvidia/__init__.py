"""This package asks NVIDIA's software about GPUs and Jetson modules."""
