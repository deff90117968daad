"""The web application, served by granian, or by any other server that speaks ASGI."""

from __future__ import annotations

import os

from django.conf import settings
from django.core.wsgi import get_wsgi_application

from crm.server.bridge import WholeRequests

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "crm.settings")


# What a form puts around a file.
FORM_BYTES = 1_000_000


def find_limit(path: str) -> int:
    """Files come through the admin alone: those of imports."""
    if path.startswith("/admin/"):
        return settings.IMPORT_MAX_BYTES + FORM_BYTES
    return settings.DATA_UPLOAD_MAX_MEMORY_SIZE


application = WholeRequests(
    application=get_wsgi_application(),
    threads=settings.WEB_THREADS,
    wait_s=settings.BODY_WAIT_S,
    find_limit=find_limit,
    proxies=settings.TRUSTED_PROXIES,
)
