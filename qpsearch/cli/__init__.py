"""The command line: a file for each group of commands. Heavy modules are imported only when they are needed."""
