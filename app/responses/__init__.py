"""What goes out, as bytes that are ready to send."""
