"""The agent is AutoMoE's program on a machine that is reached over SSH. It is not installed there.

`relay` arrives over stdin and lives as long as the connection. `keeper` arrives as a zip. It is a
process of its own with a socket in the session's folder: it answers requests, runs the worker, and
waits for a while when the connection is lost. All of it is the standard library and Python 3.8, and
it imports nothing of AutoMoE but `devices/sensors`, which is in the zip as well.
"""
