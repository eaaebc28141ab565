"""Systems that are asked over HTTP: sessions that only read, tokens, a circuit of back-off, and pulls of rows."""
