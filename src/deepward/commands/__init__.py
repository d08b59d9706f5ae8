"""The commands of `deepward`, one module each. Heavy imports stay inside the functions."""
