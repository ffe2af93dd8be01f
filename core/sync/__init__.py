"""What is new for a user since a token: the notifier, filters and /sync."""
