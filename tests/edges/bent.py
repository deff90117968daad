"""Bodies that broken clients, proxies and attackers send: hypothesis strategies."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

from crm.events.schema import KINDS

# Texts that have broken something somewhere.
NASTY = st.sampled_from(
    [
        "\x00", "a\x00b", "\ud800", "x\udfff", "\u202egnp", "e" + "\u0301" * 500,
        "👩‍👩‍👧‍👦", "' OR 1=1 --", "{{ 7 | times: 7 }}", "{% raw %}", "<script>",
        "=1+1", "\r\nSet-Cookie: a=b", "%s%n%00", "../../etc", "a" * 300,
        "a" * 40_000, "", " ", "null", "NaN", "\ufeff", "__proto__", "$where",
    ]
)  # fmt: skip
TEXTS = st.one_of(NASTY, st.text(max_size=20))
NUMBERS = st.one_of(
    st.integers(),
    st.sampled_from([2**53 + 1, -(2**63), 10**400, 1e308, float("inf"), float("nan")]),
    st.floats(),
)
LEAVES = st.one_of(st.none(), st.booleans(), NUMBERS, TEXTS)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(TEXTS, inner, max_size=4)
    ),
    max_leaves=12,
)
DEEP = st.integers(15, 3_000).map(
    lambda n: json.loads("[" * min(n, 900) + "]" * min(n, 900))
)
TIMES = st.one_of(
    st.sampled_from(
        [
            "0001-01-01", "9999-12-31T23:59:59+14:00", "2016-12-31T23:59:60Z",
            "2026-01-01T24:00:00Z", "tomorrow", "1970-01-01T00:00:00-23:59",
            "٢٠٢٦-٠١-٠١", "2026-W01-1", "20260101", "2100-12-31T23:59:59Z",
        ]
    ),
    st.datetimes().map(lambda moment: moment.isoformat()),
    LEAVES,
)  # fmt: skip
ANYTHING = st.one_of(VALUES, DEEP)
ITEM_KEYS = (
    "type", "userId", "anonymousId", "previousId", "groupId", "messageId", "event",
    "name", "properties", "traits", "context", "integrations", "writeKey",
)  # fmt: skip
# Half right, so that the fault is found late.
PLAIN_ITEM = st.fixed_dictionaries(
    {
        "type": st.sampled_from([*sorted(KINDS), "delete"]),
        "userId": st.one_of(st.just("ada"), TEXTS),
        "event": st.one_of(st.just("Order Completed"), TEXTS),
    },
    optional={
        "previousId": TEXTS,
        "groupId": TEXTS,
        "messageId": st.one_of(TEXTS, st.integers(0, 9).map(str)),
        "timestamp": TIMES,
        "properties": st.dictionaries(TEXTS, VALUES, max_size=5),
        "traits": st.dictionaries(
            st.one_of(
                st.sampled_from(["email", "phone", "timezone", "locale", "birthday"]),
                TEXTS,
            ),
            VALUES,
            max_size=5,
        ),
        "context": st.one_of(
            st.fixed_dictionaries(
                {
                    "device": st.dictionaries(
                        st.sampled_from(["token", "type", "id"]), LEAVES
                    )
                }
            ),
            VALUES,
        ),
    },
)
WILD_ITEM = st.dictionaries(st.sampled_from(ITEM_KEYS), ANYTHING, max_size=6)
ITEMS = st.one_of(PLAIN_ITEM, WILD_ITEM, ANYTHING)


def encode_loosely(value: Any) -> bytes:
    """JSON with everything a careless client puts in: NaN, halves of pairs."""
    return json.dumps(value).encode()


def bend_body(value: Any, how: str) -> bytes:
    """The same body as a broken client or proxy would send it."""
    body = encode_loosely(value)
    bent: dict[str, Callable[[], bytes]] = {
        "plain": lambda: body,
        "raw": lambda: json.dumps(value, ensure_ascii=False).encode(
            "utf-8", "surrogatepass"
        ),
        "gzip": lambda: gzip.compress(body, mtime=0),
        "cut gzip": lambda: gzip.compress(body, mtime=0)[:-3],
        "cut": lambda: body[: len(body) // 2],
        "latin": lambda: b'{"a": "\xe9"}' + body,
        "mark": lambda: b"\xef\xbb\xbf" + body,
        "wide": lambda: body.decode().encode("utf-16"),
        "twice": lambda: body + body,
        "bomb": lambda: gzip.compress(b" " * 2_000_000, mtime=0),
        "nothing": lambda: b"",
    }
    return bent[how]()


BENDS = st.sampled_from(
    ["plain"] * 8
    + ["raw", "gzip", "cut gzip", "cut", "latin", "mark", "wide", "twice"]
    + ["bomb", "nothing"]
)
LABELS = st.sampled_from(
    ["application/json", "application/json; charset=bogus", "text/plain", "", "x"]
)
