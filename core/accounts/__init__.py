"""Users, registration, login, tokens, devices, profiles and account data.

Owns who somebody is and what they keep privately: the accounts themselves (`Registration`, `Registering`,
`Administration`), how they sign in (`Login`, `Sessions`, `AccessTokens`, `Passwords`), how they confirm what matters
(`InteractiveAuth` and its stages), and what is theirs (`Profiles`, `AccountData`, `Filters`, `Devices`). What users do
in rooms is core.rooms'; a change that rooms must follow, such as a new display name, is a line of the log.
"""

from core.accounts.access_tokens import AccessTokens
from core.accounts.account_data import AccountData
from core.accounts.administration import Administration
from core.accounts.devices import Devices
from core.accounts.filters import Filters
from core.accounts.interactive_auth import InteractiveAuth
from core.accounts.login import Login
from core.accounts.passwords import Passwords
from core.accounts.profiles import Profiles
from core.accounts.registering import Registering
from core.accounts.registration import Registration
from core.accounts.sessions import Sessions

__all__ = [
    "AccessTokens",
    "AccountData",
    "Administration",
    "Devices",
    "Filters",
    "InteractiveAuth",
    "Login",
    "Passwords",
    "Profiles",
    "Registering",
    "Registration",
    "Sessions",
]
