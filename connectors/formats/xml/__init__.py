"""XML documents: read as they arrive, without entities, DTDs or the network."""
