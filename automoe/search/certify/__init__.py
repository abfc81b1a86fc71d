"""Measure the best candidates on the device before a result is called certified."""
