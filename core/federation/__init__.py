"""Talking to other servers: finding them, knowing their keys, signed requests in both directions."""
