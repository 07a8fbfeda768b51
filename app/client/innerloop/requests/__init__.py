"""Every operation of the service as a pure function from arguments to a Call; both clients send the same ones."""
