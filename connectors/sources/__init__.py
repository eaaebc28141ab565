"""Sources: one module for each kind of place that payloads come from."""
