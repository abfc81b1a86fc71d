"""The protocol: which block is measured when, what disturbed it, and its interval."""
