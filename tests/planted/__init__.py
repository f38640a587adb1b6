"""Planted studies: searches of a made-up objective whose shares of variance and effects are known."""
