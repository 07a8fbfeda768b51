"""What crosses the wire: one file per noun, imported by the client and by the server, so that it exists once."""
