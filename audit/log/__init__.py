"""The log itself, pure: leaves, the Merkle tree, checkpoints, tiles and proofs; bytes in, bytes out."""
