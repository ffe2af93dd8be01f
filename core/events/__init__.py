"""PURE: what decides whether an event is valid. Values in, values out: no I/O, no clock, no gevent, no database."""
