"""Configurations without torch: what may be built, what it costs, from a draw to a network."""
