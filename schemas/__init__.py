"""The shapes everything agrees on: lines, events, findings, documents; imports nothing of ours."""
