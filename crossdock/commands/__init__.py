"""Command groups: one module each, registered in ``crossdock.cli`` by one line."""
