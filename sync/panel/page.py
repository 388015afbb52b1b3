"""The page as HTML. It is whole without a script: what a script adds is that it goes on by itself."""

from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from typing import Final

SIGNS: Final[Mapping[str, str]] = {
    "recording": '<circle cx="50" cy="50" r="34"/>',
    "paused": '<path d="M24 18h18v64H24zM58 18h18v64H58z"/>',
    "waiting": '<path d="M24 12h52v10L56 50l20 28v10H24V78l20-28-20-28z"/>',
    "fault": '<path d="M50 8 96 90H4z"/><path class="cut" d="M45 36h10l-2 28h-6zM45 70h10v10H45z"/>',
}
"""A sign for each state: a dot, two bars, an hourglass, a triangle. Colour is never the only one."""

NUMBERS: Final = ("distance", "frames", "findings", "hazards", "outbox", "contact")
AGAIN_S: Final = 5
"""A browser without a script asks so often for the page."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What is said about the last press: a sentence, and the hazard that a note may still be said of."""

    sentence: str = ""
    hazard: int | None = None


@dataclass(frozen=True, slots=True)
class View:
    """What a page is made of. `token` is the word by which its forms are known as ours."""

    unit: str
    language: str
    words: Mapping[str, str]
    texts: Mapping[str, str]
    token: str
    answer: Answer

    def say(self, key: str) -> str:
        """A word, for HTML."""
        return escape(self.words[key])

    def text(self, key: str) -> str:
        """A text of the last look, for HTML."""
        return escape(self.texts[key])


def page(view: View) -> str:
    """The whole page."""
    other = "en" if view.language == "fr" else "fr"
    again = f'<noscript><meta http-equiv="refresh" content="{AGAIN_S};url=/?lang={view.language}"></noscript>'
    switch = f'<a href="/?lang={other}" lang="{other}" hreflang="{other}">{view.say("other_language")}</a>'
    return f"""<!doctype html>
<html lang="{view.language}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{view.text("word")} · ronde</title>
{again if view.answer.hazard is None else ""}
<link rel="icon" href="/static/icon.svg" type="image/svg+xml">
<link rel="stylesheet" href="/static/panel.css">
<script src="/static/panel.js" defer></script>
</head>
<body data-state="{view.text("state")}" data-lost="{view.say("no_line")}" data-unknown="{view.say("state_unknown")}">
<header><h1>ronde <span>{escape(view.unit)}</span></h1>{switch}</header>
<main>
{_state(view)}
<div id="presses">
{_buttons(view)}
</div>
{_answer(view)}
{_numbers(view)}
</main>
<footer><a href="/patrol?lang={view.language}">{view.say("patrol")}</a></footer>
</body>
</html>
"""


def _state(view: View) -> str:
    signs = "\n".join(
        f'<svg class="sign {name}" viewBox="0 0 100 100" aria-hidden="true">{path}</svg>' for name, path in SIGNS.items()
    )
    lines = "\n".join(f'<p id="{name}">{view.text(name)}</p>' for name in ("word", "why", "advice", "also", "asked"))
    return f"""<section id="state" role="status" aria-live="polite" aria-label="{view.say("state")}">
<div class="signs">{signs}</div>
{lines}
<p class="at"><time id="at">{view.text("at")}</time></p>
</section>"""


def _buttons(view: View) -> str:
    """Three buttons that never change their place, nor what they do."""
    does = {kind: view.say(f"{kind}_does") for kind in ("hazard", "pause", "resume")}
    return "\n".join(
        f'<form method="post" action="/{kind}" class="press" id="press-{kind}">{_held(view)}'
        f'<button type="submit"><b>{view.say(kind)}</b> <small>{told}</small></button></form>'
        for kind, told in does.items()
    )


def _answer(view: View) -> str:
    """What is said of the last press, and the note that may still be said of a hazard."""
    hazard = view.answer.hazard
    none = f'<a href="/?lang={view.language}" id="no-note">{view.say("note_none")}</a>'
    return f"""<div id="answer"{_hidden(not view.answer.sentence)}>
<p id="said" role="alert">{escape(view.answer.sentence)}</p>
<form method="post" action="/note" id="note"{_hidden(hazard is None)}>{_held(view)}
<input type="hidden" name="hazard" id="of" value="{"" if hazard is None else hazard}">
<label for="text">{view.say("note")}</label>
<input type="text" name="note" id="text" maxlength="200" autocomplete="off" enterkeyhint="send">
<p><button type="submit">{view.say("note_send")}</button> {none}</p>
</form>
</div>"""


def _numbers(view: View) -> str:
    rows = "\n".join(f'<div><dt>{view.say(name)}</dt><dd id="{name}">{view.text(name)}</dd></div>' for name in NUMBERS)
    return f"""<section id="numbers" aria-labelledby="today">
<h2 id="today">{view.say("today")}</h2>
<dl>
{rows}
</dl>
</section>"""


def _held(view: View) -> str:
    fields = {"token": view.token, "lang": view.language}
    return "".join(f'<input type="hidden" name="{name}" value="{escape(value)}">' for name, value in fields.items())


def _hidden(hidden: bool) -> str:
    return " hidden" if hidden else ""
