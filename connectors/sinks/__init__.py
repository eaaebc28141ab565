"""Sinks: one module for each kind of place that events go to."""
