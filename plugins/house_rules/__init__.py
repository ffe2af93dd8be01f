"""What an administrator allows users to do with rooms: invite, name and publish them."""

from plugins.house_rules.plugin import HouseRules

__all__ = ["HouseRules"]
