"""Meaning: how a document's fields become canonical lines and lines become events."""
