"""The published contract: ``python -m crossdock.contract`` generates it from the models."""
