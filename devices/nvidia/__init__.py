"""What NVIDIA's software says about a GPU."""
