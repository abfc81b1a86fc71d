"""Another machine over SSH: its address, a session on it, its files and its device."""
