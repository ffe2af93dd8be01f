"""Which stages stand between a stranger and an account, by the configuration.

Each flow is a way that suffices; where one would be the beginning of another the shorter gets the dummy stage, so that
a client on the longer way is not taken for done. Spec: Client-Server API, "Dummy Auth".
"""

from __future__ import annotations

from core.accounts.interactive_auth import Flow
from core.config.registration import RegistrationConfig

EMAIL, PHONE = "m.login.email.identity", "m.login.msisdn"


def registration_flows(config: RegistrationConfig, *, can_mail: bool, can_text: bool, needs_terms: bool) -> list[Flow]:
    """The flows of `POST /register`.

    A required address that cannot be verified, because there is no mail or no delegate, leaves no flow at all.
    """
    before = []
    if config.enable_registration_captcha:
        before.append("m.login.recaptcha")
    if config.registration_requires_token:
        before.append("m.login.registration_token")
    before += config.registration_requires_stages
    if needs_terms:
        before.append("m.login.terms")
    has_phone = can_text and not config.disable_msisdn_registration
    wanted = config.registrations_require_3pid
    if wanted:
        kinds = {"email": EMAIL, "msisdn": PHONE}
        available = {"email": can_mail, "msisdn": can_text}
        if not all(available[medium] for medium in wanted):
            return []
        return [[*before, *(kinds[medium] for medium in kinds if medium in wanted)]]
    offered = [[EMAIL]] if can_mail else []
    offered += [[PHONE]] if has_phone else []
    offered += [[EMAIL, PHONE]] if can_mail and has_phone else []
    if not offered:
        return [before or ["m.login.dummy"]]
    return [[*before, "m.login.dummy"], *([*before, *addresses] for addresses in offered)]
