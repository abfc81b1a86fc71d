"""The program that stands in for us on a machine reached over SSH. It is not installed there.

`relay` arrives over stdin and lives as long as the connection. `keeper`, which arrives as a zip,
is a process of its own with a socket in the session's folder: it answers requests, runs the
worker, and waits for a while when the connection is lost. All of it is the standard library and
Python 3.8, and nothing here imports the rest of us.
"""
