"""What there is between us and one partner: its file, the sheets that go out to it and come back, and its language."""
