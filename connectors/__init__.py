"""Bytes: where they come from and go to (sources, sinks), and how they are read (formats)."""
