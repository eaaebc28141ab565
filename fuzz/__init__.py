"""Fuzzing the X12 reader, guided by coverage: ``make fuzz``, or ``python -m fuzz TARGET [libFuzzer options]``."""
