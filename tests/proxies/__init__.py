"""Reverse proxies in front of a server of ours, configured by the samples in contrib/."""
