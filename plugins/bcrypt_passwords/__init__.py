"""The default password check: bcrypt hashes in the server's database.

It only turns passwords into hashes and compares them; which account a hash belongs to is the server's matter. It
caches nothing, so a hash that an administrator changes with SQL counts at once.
"""

from plugins.bcrypt_passwords.plugin import BcryptPasswords

__all__ = ["BcryptPasswords"]
