"""What a browser without JavaScript would post from a page."""

from __future__ import annotations

from html.parser import HTMLParser


class FormFields(HTMLParser):
    """The successful controls of a page's forms, buttons left out."""

    def __init__(self) -> None:
        super().__init__()
        self.fields: dict[str, list[str]] = {}
        self.buttons: list[str] = []
        self._select = self._textarea = ""
        self._options: list[tuple[str, bool]] = []

    def add(self, name: str, value: str) -> None:
        self.fields.setdefault(name, []).append(value)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        said = {name: value or "" for name, value in attrs}
        name = said.get("name", "")
        if tag == "input" and name:
            if said.get("type") != "checkbox":
                self.add(name, said.get("value", ""))
            elif "checked" in said:
                self.add(name, said.get("value", "on"))
        elif tag == "select":
            self._select, self._options = name, []
        elif tag == "option" and self._select:
            self._options.append((said.get("value", ""), "selected" in said))
        elif tag == "textarea":
            self._textarea = name
        elif tag == "button" and name == "do":
            self.buttons.append(said["value"])

    def handle_endtag(self, tag: str) -> None:
        if tag == "select" and self._select:
            chosen = [value for value, selected in self._options if selected]
            first = [value for value, _ in self._options[:1]]
            for value in chosen or first:
                self.add(self._select, value)
            self._select = ""
        elif tag == "textarea":
            self._textarea = ""

    def handle_data(self, data: str) -> None:
        if self._textarea:
            self.add(self._textarea, data)


def read_fields(html: str) -> FormFields:
    parser = FormFields()
    parser.feed(html)
    return parser
