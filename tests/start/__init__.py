"""Real server processes: start, reload, stop, and HTTP as bytes."""
