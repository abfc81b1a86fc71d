"""The programs that run on the device and time it, and the ways to reach them."""
