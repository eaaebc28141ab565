"""The demo company: a made-up maker of pumps, with an ERP, an EDI inbox and a mailbox, at any size.

``simulate`` writes it; ``Simulation`` says what was written, which events must come of it, and
what is wrong on purpose. The same seed and size give the same bytes.
"""

from crossdock.simulate.demo import connection_environment, simulate
from crossdock.simulate.large import large_856, large_master
from crossdock.simulate.plan import Effect, Expected, Made, Planted, Simulation

__all__ = [
    "Effect",
    "Expected",
    "Made",
    "Planted",
    "Simulation",
    "connection_environment",
    "large_856",
    "large_master",
    "simulate",
]
