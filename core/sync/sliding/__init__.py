"""Simplified sliding sync: the same news as /sync, of only the rooms that a client looks at. Proposal: MSC4186."""
