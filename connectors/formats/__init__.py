"""Formats: how bytes are read into documents and lines; no business meaning."""
