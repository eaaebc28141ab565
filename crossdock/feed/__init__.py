"""The feed over HTTP: the events for programs, and the console's pages for people. Everything is read-only."""
