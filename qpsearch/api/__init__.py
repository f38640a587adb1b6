"""Studies from Python; the package ``qpsearch`` offers the names of this room."""
