"""Where people of a country are taken to live: a stand-in for zone and language."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Place:
    time_zone: str
    locale: str


ZONES = {
    "United Kingdom": Place("Europe/London", "en-GB"),
    "EIRE": Place("Europe/Dublin", "en-IE"),
    "Channel Islands": Place("Europe/Jersey", "en-GB"),
    "Germany": Place("Europe/Berlin", "de"),
    "France": Place("Europe/Paris", "fr"),
    "Spain": Place("Europe/Madrid", "es"),
    "Belgium": Place("Europe/Brussels", "nl-BE"),
    "Switzerland": Place("Europe/Zurich", "de-CH"),
    "Portugal": Place("Europe/Lisbon", "pt"),
    "Italy": Place("Europe/Rome", "it"),
    "Netherlands": Place("Europe/Amsterdam", "nl"),
    "Norway": Place("Europe/Oslo", "nb"),
    "Sweden": Place("Europe/Stockholm", "sv"),
    "Denmark": Place("Europe/Copenhagen", "da"),
    "Finland": Place("Europe/Helsinki", "fi"),
    "Iceland": Place("Atlantic/Reykjavik", "is"),
    "Austria": Place("Europe/Vienna", "de-AT"),
    "Poland": Place("Europe/Warsaw", "pl"),
    "Greece": Place("Europe/Athens", "el"),
    "Cyprus": Place("Asia/Nicosia", "el"),
    "Malta": Place("Europe/Malta", "mt"),
    "Lithuania": Place("Europe/Vilnius", "lt"),
    "Czech Republic": Place("Europe/Prague", "cs"),
    "Israel": Place("Asia/Jerusalem", "he"),
    "Lebanon": Place("Asia/Beirut", "ar"),
    "Bahrain": Place("Asia/Bahrain", "ar"),
    "Saudi Arabia": Place("Asia/Riyadh", "ar"),
    "United Arab Emirates": Place("Asia/Dubai", "ar"),
    "Japan": Place("Asia/Tokyo", "ja"),
    "Hong Kong": Place("Asia/Hong_Kong", "zh-HK"),
    "Singapore": Place("Asia/Singapore", "en-SG"),
    "Australia": Place("Australia/Sydney", "en-AU"),
    "Brazil": Place("America/Sao_Paulo", "pt-BR"),
    "USA": Place("America/New_York", "en-US"),
    "Canada": Place("America/Toronto", "en-CA"),
    "RSA": Place("Africa/Johannesburg", "en-ZA"),
}
