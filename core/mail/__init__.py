"""The server's own mail: texts from templates, and the transport that a plugin provides.

`outgoing.Mailer` is what services use; `templates.Templates` holds the texts of mails and of the pages that links in
them lead to. How mail travels is a plugin's matter: `plugins/smtp_mail` unless another one contributes a transport.
"""
