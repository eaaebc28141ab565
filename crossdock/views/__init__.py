"""What people see at a terminal: one module for each thing that is shown, made of the pieces in ``display``."""
