"""Customer.io's App client: a push by template and by its own words, other channels."""

import json
import os

from customerio import (
    APIClient,
    CustomerIOException,
    SendEmailRequest,
    SendPushRequest,
    SendSMSRequest,
)

client = APIClient(os.environ["SITE_KEY"], url=os.environ["SITE_URL"], retries=0)


def catch(call, request):
    try:
        call(request)
    except CustomerIOException as error:
        return str(error)
    return ""


by_template = client.send_push(
    SendPushRequest(
        transactional_message_id="order-shipped",
        identifiers={"id": "ada"},
        message_data={"order_id": "A-1"},
    )
)
inline = client.send_push(
    SendPushRequest(
        identifiers={"email": "ada@example.com"},
        title="Dear {{ trigger.name }}",
        message="Your code is {{ trigger.code }}",
        message_data={"name": "Ada", "code": "1234"},
        custom_data={"page": "codes"},
        to="last_used",
    )
)
email = SendEmailRequest(
    transactional_message_id="3", identifiers={"id": "ada"}, to="ada@example.com"
)
sms = SendSMSRequest(transactional_message_id="3", identifiers={"id": "ada"})
nobody = SendPushRequest(
    transactional_message_id="order-shipped", identifiers={"id": "nobody"}
)
print(
    json.dumps(
        {
            "by_template": by_template,
            "inline": inline,
            "email": catch(client.send_email, email),
            "sms": catch(client.send_sms, sms),
            "nobody": catch(client.send_push, nobody),
        }
    )
)
