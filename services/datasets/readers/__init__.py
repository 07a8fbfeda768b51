"""One module a file format: from untrusted bytes to `Examples`. Each checks sizes before it takes memory."""
