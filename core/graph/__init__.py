"""The stored event graph: append makes it grow, publish tells of it, everything else reads."""
