"""Running studies: what the command line and Python programs have in common."""
