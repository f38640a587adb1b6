"""Images of the user's own: found in a folder or an archive, looked through once, described by a record of facts."""
