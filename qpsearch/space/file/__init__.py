"""Reading and writing space files."""
