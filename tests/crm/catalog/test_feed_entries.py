"""RSS and Atom, as they come."""

from __future__ import annotations

import pytest

from crm.catalog.feed_entries import MAX_ENTRIES, NotAFeed, read_feed

RSS = """<?xml version="1.0" encoding="UTF-8"?>
<rss version="2.0" xmlns:dc="http://purl.org/dc/elements/1.1/"
  xmlns:media="http://search.yahoo.com/mrss/"><channel><title>Trails</title>
<item><title>Snow &amp;amp; ice</title><link>https://a.no/snow</link>
  <guid isPermaLink="false">post-1</guid>
  <description>&lt;p&gt;Bring &lt;b&gt;spikes&lt;/b&gt;.&lt;/p&gt;</description>
  <dc:creator>Ida</dc:creator><category>Winter</category><category>Safety</category>
  <pubDate>Wed, 04 Mar 2026 13:00:00 +0100</pubDate>
  <media:thumbnail url="https://a.no/snow.jpg"/></item>
<item><description>No title</description><guid>post-2</guid></item>
<item><title>Pod</title><link>javascript:alert(1)</link><guid>post-3</guid>
  <enclosure url="https://a.no/pod.mp3" type="audio/mpeg"/></item>
</channel></rss>"""
ATOM = """<feed xmlns="http://www.w3.org/2005/Atom"><title>Trails</title>
<entry><id>tag:a.no,2026:1</id><title type="html">&lt;i&gt;Snow&lt;/i&gt;</title>
  <link rel="self" href="https://a.no/self"/><link href="https://a.no/snow"/>
  <author><name>Ida</name><email>i@a.no</email></author>
  <category term="winter" label="Winter"/><updated>2026-03-04T12:00:00Z</updated>
  <summary>Spikes</summary></entry></feed>"""
RDF = """<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"
  xmlns="http://purl.org/rss/1.0/"><channel/><item rdf:about="https://a.no/snow">
  <title>Snow</title><link>https://a.no/snow</link></item></rdf:RDF>"""


def test_an_entry_of_rss_is_a_row() -> None:
    first, pod = read_feed(RSS.encode())
    assert first == {
        "code": "post-1",
        "name": "Snow & ice",
        "url": "https://a.no/snow",
        "image_url": "https://a.no/snow.jpg",
        "category": "Winter",
        "published_at": "2026-03-04T12:00:00+00:00",
        "attributes": {
            "summary": "Bring spikes .",
            "author": "Ida",
            "categories": ["Winter", "Safety"],
        },
    }
    # A link that runs a script is none, and a sound is no picture.
    assert pod == {"code": "post-3", "name": "Pod", "attributes": {}}


def test_an_entry_of_atom_is_a_row() -> None:
    [row] = read_feed(ATOM.encode())
    assert (row["code"], row["name"]) == ("tag:a.no,2026:1", "Snow")
    assert (row["url"], row["category"]) == ("https://a.no/snow", "Winter")
    assert row["published_at"] == "2026-03-04T12:00:00+00:00"
    assert row["attributes"]["author"] == "Ida"


def test_an_entry_of_rss_1_is_known_by_its_link() -> None:
    [row] = read_feed(RDF.encode())
    assert (row["code"], row["name"]) == ("https://a.no/snow", "Snow")


def test_other_encodings_are_read() -> None:
    body = RDF.replace("Snow<", "Snø<").encode("utf-16")
    assert read_feed(body)[0]["name"] == "Snø"


def test_a_long_id_is_kept_by_its_digest() -> None:
    long = "x" * 200
    [row] = read_feed(
        RDF.replace("https://a.no/snow</link>", f"https://{long}</link>").encode()
    )
    assert row["code"].startswith("sha256:")
    assert len(row["code"]) <= 100


def test_only_the_first_entries_are_read() -> None:
    many = "<item><title>A</title><guid>{}</guid></item>"
    items = "".join(many.format(number) for number in range(MAX_ENTRIES + 5))
    assert len(read_feed(f"<rss>{items}</rss>".encode())) == MAX_ENTRIES


@pytest.mark.parametrize(
    ("_case", "body", "words"),
    [
        (
            "laughs",
            '<!DOCTYPE a [<!ENTITY b "ha"><!ENTITY c "&b;&b;">]><rss>&c;</rss>',
            "document type",
        ),
        (
            "a file",
            '<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><rss>&b;</rss>',
            "document type",
        ),
        ("a page", "<html><body/></html>", "Neither RSS nor Atom"),
        ("no XML", "hello", "Not XML"),
        ("nothing", "", "Not XML"),
        ("cut short", RSS[:300], "Not XML"),
        (
            "an unknown encoding",
            '<?xml version="1.0" encoding="x-y"?><rss/>',
            "Not XML",
        ),
        ("an unknown entity", "<rss>&nbsp;</rss>", "Not XML"),
    ],
)
def test_what_is_no_feed_says_why(_case: str, body: str, words: str) -> None:
    with pytest.raises(NotAFeed, match=words):
        read_feed(body.encode())


def test_a_deep_nest_is_read_or_refused_but_breaks_nothing() -> None:
    body = "<rss>" + "<a>" * 50_000 + "</a>" * 50_000 + "</rss>"
    assert read_feed(body.encode()) == []
