"""HTTP responses as they arrive: heads, body framing, decompression."""
