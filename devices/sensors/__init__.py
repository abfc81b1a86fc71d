"""The sensors and power meters of a Linux machine: one set of readers for us and for the worker.

All of it is the standard library and Python 3.8, and nothing here imports the rest of us, because
it is sent to the device with the worker and with the agent. Every reader takes the machine to
read, which is a `devices.host.Host` or a `ThisMachine`, and answers None (or nothing) where the
machine does not say.
"""
