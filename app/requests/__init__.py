"""What comes in: bodies, tensors, conditions, names. Read and checked; nothing is done with it here."""
