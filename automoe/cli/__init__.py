"""The command line; see ``automoe --help``."""
