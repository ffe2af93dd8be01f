"""Commands run patched, as hsctl does."""

from gevent import monkey

monkey.patch_all()
