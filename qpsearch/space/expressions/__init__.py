"""The small language inside a space file: arithmetic and conditions."""
