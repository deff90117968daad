"""Staff pages of the messages: declarations over the actions' functions."""

from notifications.admin import (  # noqa: F401
    alert,
    campaign,
    delivery,
    limits,
    schedule,
    sender,
    staff,
    switch,
    template,
)
