"""Customer.io's Track client sends many events that carry ids, with its own retries."""

import json
import os

from customerio import CustomerIO, CustomerIOException

failed = []
client = CustomerIO(
    "shop",
    os.environ["SITE_KEY"],
    host="localhost",
    port=int(os.environ["SITE_PORT"]),
    retries=4,
)
for number in range(int(os.environ["EVENTS"])):
    try:
        client.track(f"user-{number % 5}", "Seen", {"n": number}, id=f"m-{number}")
    except CustomerIOException as error:
        failed.append(str(error))
print(json.dumps(failed))
