"""This package measures on another machine over SSH: addresses, sessions, files and devices."""
