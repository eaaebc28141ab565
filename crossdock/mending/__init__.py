"""What did not go through is mended, let go on, or read again."""
