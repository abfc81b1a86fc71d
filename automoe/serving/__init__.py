"""This package translates over HTTP with an exported model. It needs the extra `serve`.

It stands on `automoe.deployed` alone, so that a server never loads torch.
"""
