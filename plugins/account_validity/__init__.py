"""Accounts that expire unless they are renewed."""

from plugins.account_validity.plugin import AccountValidity

__all__ = ["AccountValidity"]
