"""These workers run on the device and time it. The client reaches them locally or over SSH."""
