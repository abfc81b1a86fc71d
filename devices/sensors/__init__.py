"""These readers ask a Linux machine for its sensors and meters, for the client and the worker.

All of it is the standard library and Python 3.8, and it imports nothing else of AutoMoE, because it
is sent to the device with the worker and with the agent. Every reader asks one machine, which is a
`devices.host.Host` or a `ThisMachine`, and returns None (or nothing) when the machine does not say.
"""
