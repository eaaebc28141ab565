"""What a document says is held against what stands already: the stages between translating and storing."""
