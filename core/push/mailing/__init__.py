"""Mails about missed messages: pushers of the kind `email`.

`sender` decides when one is due, `missed` what it is about, `content` and `subjects` how it reads, `unsubscribing` how it
is ended from within it.
"""
