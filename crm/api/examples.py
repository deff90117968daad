"""OpenAPI examples of the REST API: one value for each name, in one place. Pure.

The walk follows the schema, so a new operation has its examples at once; a field that
wants better words gets them in WORDS.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

Schema = dict[str, Any]
MOMENT: Final = "2026-03-04T12:00:00Z"
AN_ID: Final = "019a6f0e-2b7c-7000-8000-000000000000"
RULE: Final = {"version": 1, "root": {"type": "event", "name": "Order Completed"}}
SUMMARY: Final = "People who performed “Order Completed” ever at least once."
# By the field's name; `Component.field` where a name means several things.
WORDS: Final[Mapping[str, Any]] = {
    "AttemptOutput.state": "sent",
    "ButtonOutput.title": "Look",
    "CampaignOutput.name": "Welcome",
    "CampaignOutput.state": "running",
    "CatalogOutput.name": "Shoes",
    "CatalogOutput.slug": "shoes",
    "ChangeOutput.reason": "after “Order Completed”",
    "ContactInput.external_id": "ada",
    "DeliveryDetail.state": "sent",
    "DeliveryOutput.state": "sent",
    "DeviceInput.contact": "ada",
    "DeviceInput.name": "Ada's phone",
    "DeviceOutput.name": "Ada's phone",
    "EventOutput.name": "Order Completed",
    "EventOutput.source": "segment",
    "EventOutput.value": "25.00",
    "EventRow.name": "Order Completed",
    "EventRow.source": "segment",
    "EventRow.value": "25.00",
    "FieldShape.name": "color",
    "ItemOutput.name": "Boot",
    "ItemRejected.code": "invalid",
    "ItemRejected.message": "Expected a number.",
    "ItemRejected.path": "price",
    "MergeInput.reason": "The same person",
    "MergeOutput.made_by": "api:apr_1a2b",
    "MergeOutput.reason": "The same person",
    "OrderDetail.state": "paid",
    "OrderOutput.state": "paid",
    "PatchedCatalogChanges.name": "Shoes and boots",
    "PatchedSegmentEdit.name": "Buyers",
    "ProductInput.name": "Boot",
    "ProductOutput.name": "Boot",
    "ReasonInput.reason": "The price is wrong",
    "ReasonOutput.reason": "capped",
    "ReasonOutput.sentence": "They already had enough messages.",
    "ReportOutput.name": "Welcome",
    "ReportOutput.state": "running",
    "RestoreInput.version": 1,
    "SegmentInput.name": "Buyers",
    "SegmentOutput.name": "Buyers",
    "SegmentOutput.state": "live",
    "StandingOutput.name": "Buyers",
    "StandingOutput.reason": "after “Order Completed”",
    "SubscriptionChangeOutput.column": "status",
    "SubscriptionChangeOutput.kind": "started",
    "SubscriptionChangeOutput.now": "active",
    "SubscriptionDetail.interval": "month",
    "SubscriptionOutput.interval": "month",
    "TestInput.contact": "ada",
    "TopicPreference.id": "deals",
    "TopicPreference.name": "Deals",
    "UndoInput.reason": "They are two people",
    "UseOutput.kind": "campaign",
    "UseOutput.name": "Welcome",
    "UseOutput.state": "running",
    "VersionOutput.kind": "once",
    "amount": "25.00",
    "app_version": "4.2.0",
    "archived_at": None,
    "attempted": 124,
    "attributes": {"color": "brown"},
    "body": "Good to see you",
    "both": 40,
    "cancellations": [],
    "cancelled": 0,
    "cancelled_at": None,
    "category": "boots",
    "channels": {"push": True},
    "children": [],
    "clicked": 12,
    "client_id": "tap-1",
    "code": "boot",
    "computed": {"favourite_category": "boots"},
    "conversion_median_s": 5400.0,
    "converted": 6,
    "count": 4,
    "counts": {"sent": 120, "skipped": 4},
    "created_by": "ada",
    "crontab": None,
    "currency": "EUR",
    "delivered": 110,
    "denominator": 120,
    "description": "Whoever bought something",
    "detail": "",
    "dismissed": 4,
    "email": "ada@example.com",
    "estimate": None,
    "excess": "0.00",
    "expired": 0,
    "external_id": "ada",
    "facts": "“Order Completed” 2 times, last on 4 March 2026",
    "failed": 0,
    "failure": "",
    "failures": [],
    "finished_at": None,
    "goal_event": "Order Completed",
    "goal_window_s": 604_800,
    "gross": "25.00",
    "held_out": 0,
    "high": 0.33,
    "http_status": 200,
    "image_url": "https://shop.example.com/boot.jpg",
    "in_work": 0,
    "interval": None,
    "into": "ada",
    "is_live": True,
    "is_member": True,
    "items": [{"code": "boot", "name": "Boot", "price": "120.00", "currency": "EUR"}],
    "late": 0,
    "lines": [{"code": "boot", "quantity": 1, "price": 120}],
    "link": "https://shop.example.com/boot",
    "local_send_at": None,
    "locale": "en",
    "low": 0.18,
    "matches": True,
    "message_id": "order-17",
    "mode": "",
    "name": "Ada",
    "next": None,
    "number": "A-17",
    "numerator": 30,
    "only_first": 80,
    "only_second": 15,
    "opened": 30,
    "path": "root",
    "paused_at": None,
    "paused_reason": "",
    "pending": 6,
    "permission": "granted",
    "phone": "+441632960000",
    "plan": "pro",
    "planned": 130,
    "platform": "android",
    "previous": None,
    "price": "120.00",
    "priority": 1,
    "properties": {"order_id": "A-17", "total": 25},
    "provider_id": "projects/shop/messages/1",
    "quarantined": 0,
    "reason": "",
    "refunded": "0.00",
    "rule": RULE,
    "segment": "buyers",
    "sent": 120,
    "sentence": "",
    "share": 0.25,
    "size": 120,
    "skipped": 4,
    "slug": "buyers",
    "status": "active",
    "stock": 3,
    "subscribed": True,
    "summary": SUMMARY,
    "template": "Welcome",
    "text": SUMMARY,
    "time_zone": "Europe/Paris",
    "title": "Hello Ada",
    "token": "a-token-of-firebase",
    "topic_id": None,
    "traits": {"first_name": "Ada", "plan": "pro"},
    "trigger_delay_s": 0,
    "trigger_event": "",
    "ttl_s": 86_400,
    "undone_at": None,
    "undone_by": "",
    "unknown": 0,
    "url": "https://shop.example.com/boot",
    "waits": [],
    "was_price": "150.00",
}
# Keys of objects that hold one value for each name.
KEYS: Final = {"topics": "deals"}
BY_FORMAT: Final = {
    "date-time": MOMENT,
    "date": "2026-03-04",
    "time": "12:00:00",
    "uuid": AN_ID,
    "uri": "https://shop.example.com/",
    "email": "ada@example.com",
    "decimal": "25.00",
}
BY_TYPE: Final[Mapping[str, Any]] = {
    "boolean": False,
    "integer": 1,
    "number": 0.5,
    "null": None,
    "string": "",
}
KINDS: Final = {
    "null": type(None),
    "string": str,
    "boolean": bool,
    "integer": int,
    "number": float,
    "array": list,
    "object": dict,
}
# What one direction leaves out.
UNSAID_IN: Final = {"request": "readOnly", "answer": "writeOnly"}


def add_examples(result: Schema, generator: Any, request: Any, public: bool) -> Schema:
    """Hook of drf-spectacular, the last: an example for each body and each success."""
    schemas = result["components"]["schemas"]
    for content, direction in _list_contents(result):
        if "example" not in content and "examples" not in content:
            walk = _Walk(schemas, unsaid=UNSAID_IN[direction])
            content["example"] = walk.build(content["schema"])
    return result


def _list_contents(result: Schema) -> Iterator[tuple[Schema, str]]:
    for methods in result["paths"].values():
        for operation in methods.values():
            asked = operation.get("requestBody", {}).get("content", {})
            if "application/json" in asked:
                yield asked["application/json"], "request"
            for status, answer in operation["responses"].items():
                told = answer.get("content", {})
                if status.startswith("2") and "application/json" in told:
                    yield told["application/json"], "answer"


@dataclass(frozen=True, slots=True)
class _Walk:
    schemas: Mapping[str, Schema]
    unsaid: str

    def build(self, schema: Schema, name: str = "", owner: str = "") -> Any:
        """A value of this schema, as the field `name` of the component `owner`."""
        if "$ref" in schema:
            owner_now = schema["$ref"].rsplit("/", 1)[1]
            inner = self.schemas[owner_now]
            plain = "enum" in inner
            return self.build(inner, name, owner if plain else owner_now)
        for several in ("allOf", "oneOf", "anyOf"):
            if several in schema:
                return self._choose(schema[several], name, owner)
        if "const" in schema:
            return schema["const"]
        for word in (f"{owner}.{name}", name):
            if word in WORDS and _fits(WORDS[word], schema):
                return WORDS[word]
        return self._make(schema, name, owner)

    def _choose(self, several: list[Schema], name: str, owner: str) -> Any:
        word = WORDS.get(f"{owner}.{name}", WORDS.get(name, ""))
        if word is None and {"type": "null"} in several:
            return None
        return self.build(several[0], name, owner)

    def _make(self, schema: Schema, name: str, owner: str) -> Any:
        if "enum" in schema:
            return schema["enum"][0]
        kind = _list_types(schema)[0]
        if kind == "array":
            return [self.build(schema.get("items", {}), name, owner)]
        if kind == "object":
            return self._make_object(schema, name, owner)
        if kind == "string" and schema.get("format") in BY_FORMAT:
            return BY_FORMAT[schema["format"]]
        if kind == "integer":
            return max(1, schema.get("minimum", 1))
        return BY_TYPE[kind]

    def _make_object(self, schema: Schema, name: str, owner: str) -> Schema:
        said = {
            key: self.build(inner, key, owner)
            for key, inner in schema.get("properties", {}).items()
            if not inner.get(self.unsaid)
        }
        more = schema.get("additionalProperties")
        if isinstance(more, dict) and more and name in KEYS:
            said[KEYS[name]] = self.build(more, "", owner)
        return said


def _list_types(schema: Schema) -> list[str]:
    kind = schema.get("type", "object")
    return kind if isinstance(kind, list) else [kind]


def _fits(word: Any, schema: Schema) -> bool:
    if "enum" in schema:
        return word in schema["enum"]
    if "format" in schema and isinstance(word, str) and not word:
        return False
    if "type" not in schema:
        return True
    return any(type(word) is KINDS[kind] for kind in _list_types(schema))
