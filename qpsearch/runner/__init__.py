"""Running studies: the code that the command line and Python programs share."""
