"""The device measures the best candidates before a result is called certified."""
