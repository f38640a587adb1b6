"""qpsearch: does a block really help, where in the network, and how sure is that.

Nothing is imported here: the command line must answer before torch, ray or optuna are loaded.
"""

__version__ = "0.1.0"
