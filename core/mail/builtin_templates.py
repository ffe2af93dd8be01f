"""The built-in texts of mails and of the pages that links in them lead to."""

from __future__ import annotations

from collections.abc import Mapping

_IGNORE = "If you did not ask for this, do nothing; nobody gets into your account by this mail alone."


def _page(title: str, body: str) -> str:
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        "<style>body { font: 1.1em sans-serif; margin: 3em auto; max-width: 32em; padding: 0 1em }</style>"
        f"</head><body><h1>{title}</h1>{body}</body></html>"
    )


def _mail(text: str, ask: str) -> tuple[str, str]:
    """(text, HTML) of a mail that asks to open a link."""
    plain = f"{text}\n\n{ask}:\n\n{{{{ link }}}}\n\n{_IGNORE}\n"
    html = (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"></head><body><p>{text}</p>'
        f'<p><a href="{{{{ link }}}}">{ask}</a></p><p>Or copy this address into your browser: {{{{ link }}}}</p>'
        f"<p>{_IGNORE}</p></body></html>"
    )
    return plain, html


def _built_in() -> dict[str, str]:
    found: dict[str, str] = {}
    for name, text, ask in (
        (
            "registration",
            "Somebody, probably you, is making an account of {{ app_name }} with this address.",
            "Confirm the address",
        ),
        (
            "add_threepid",
            "Somebody, probably you, wants to add this address to an account of {{ app_name }}.",
            "Confirm the address",
        ),
        (
            "password_reset",
            "Somebody, probably you, wants to set a new password for your account of {{ app_name }}.",
            "Go on with the new password",
        ),
    ):
        found[f"{name}.txt"], found[f"{name}.html"] = _mail(text, ask)
    found["already_in_use.txt"] = (
        "Somebody tried to make an account of {{ app_name }} with this address, which belongs to an account already.\n\n"
        "If it was you, sign in, or set a new password if you have forgotten yours.\n"
    )
    found["already_in_use.html"] = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"></head><body><p>Somebody tried to make an account '
        "of {{ app_name }} with this address, which belongs to an account already.</p><p>If it was you, sign in, or "
        "set a new password if you have forgotten yours.</p></body></html>"
    )
    done = "<p>Your address is confirmed. You may close this window and go on where you began.</p>"
    for name in ("registration", "add_threepid", "password_reset"):
        found[f"{name}_success.html"] = _page("Confirmed", done)
        found[f"{name}_failure.html"] = _page("Not confirmed", "<p>{{ failure_reason }}</p>")
    found["password_reset_confirmation.html"] = _page(
        "A new password",
        "<p>Is it you who is setting a new password for your account of {{ app_name }}? If not, close this window.</p>"
        '<form method="post"><input type="hidden" name="sid" value="{{ sid }}">'
        '<input type="hidden" name="token" value="{{ token }}">'
        '<input type="hidden" name="client_secret" value="{{ client_secret }}">'
        "<button>Yes, set the new password</button></form>",
    )
    found.update(_missed())
    return found


def _missed() -> dict[str, str]:
    """The mail about missed messages, and the page that ends such mails."""
    plain = """Hello {{ user_display_name }},

this happened on {{ app_name }} while you were away.
{% for room in rooms %}
{{ room.title }}: {{ room.link }}
{% for notif in room.notifs %}{% for message in notif.messages %}\
  {{ message.ts|format_ts("%Y-%m-%d %H:%M") }} {{ message.sender_name }}: {{ message.body_text_plain }}
{% endfor %}{% endfor %}{% endfor %}
Times are in UTC. To get no more of these mails, open this link:
{{ unsubscribe_link }}
""".replace("\\\n", "")
    html = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"></head><body>'
        "<p>Hello {{ user_display_name }},</p><p>this happened on {{ app_name }} while you were away.</p>"
        '{% for room in rooms %}<h3><a href="{{ room.link }}">{{ room.title }}</a></h3>'
        "{% for notif in room.notifs %}{% for message in notif.messages %}"
        '<p><a href="{{ notif.link }}">{{ message.ts|format_ts("%Y-%m-%d %H:%M") }}</a> '
        "<b>{{ message.sender_name }}</b>: {{ message.body_text_plain }}</p>{% endfor %}{% endfor %}{% endfor %}"
        '<p>Times are in UTC. <a href="{{ unsubscribe_link }}">Send me no more of these mails</a></p></body></html>'
    )
    ask = (
        "<p>Mails to {{ address }} about messages you have missed on {{ app_name }} can be ended here.</p>"
        '<form method="post"><button>Send me no more of them</button></form>'
    )
    done = "<p>There will be no more mails to {{ address }} about messages you have missed on {{ app_name }}.</p>"
    return {
        "notif_mail.txt": plain,
        "notif_mail.html": html,
        "unsubscribe.html": _page("Mails about missed messages", ask),
        "unsubscribed.html": _page("No more mails", done),
    }


BUILT_IN: Mapping[str, str] = _built_in()
"""Template texts by name."""
