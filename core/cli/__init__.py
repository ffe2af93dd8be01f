"""hsctl, the administrator's command."""
