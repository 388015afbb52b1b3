"""A look as a driver reads it: texts in one language. The server's page and its live news are made of the same texts. Pure."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from sync.panel.glance import MOST_WAITING, Glance
from sync.panel.trouble import part_of
from sync.panel.words import ago, number, reason_words

OLD_S: Final = 8.0
"""What the capture told longer ago is said to be so old."""


def shown(glance: Glance, words: Mapping[str, str], now: datetime) -> dict[str, str]:
    """The texts of the page by the ids of their places; `state` is one of health's, for the colours and the sign."""
    today = glance.today
    return {
        "state": glance.state,
        "word": words[f"state_{glance.state}"],
        "why": _why(glance, words),
        "advice": _advice(glance, words),
        "also": _also(glance, words),
        "asked": {"pause": words["pausing"], "resume": words["resuming"]}.get(glance.asked or "", ""),
        "distance": words["unknown"] if today is None else f"{number(today.distance_m / 1000.0, words, 1)} {words['km']}",
        "frames": number(None if today is None else today.frames, words),
        "findings": number(None if today is None else today.findings, words),
        "hazards": number(None if today is None else today.hazards, words),
        "outbox": _outbox(glance.waiting, words),
        "contact": ago(_seconds_since(glance.contact_at, now), words) if today is not None else words["unknown"],
        "at": f"{now.astimezone():%H:%M:%S}",
    }


def _why(glance: Glance, words: Mapping[str, str]) -> str:
    """Why it is in this state: the reason of a waiting or a fault, what a pause means, and for how long."""
    if glance.state == "paused":
        since = _clock(glance.paused_at)
        return words["why_paused"] if since is None else f"{words['why_paused']} {words['paused_since'].format(time=since)}."
    if glance.state == "recording":
        return words["why_recording"]
    return _sentence(reason_words(glance.reasons[0], words)) if glance.reasons else ""


def _advice(glance: Glance, words: Mapping[str, str]) -> str:
    """What to do; how old the news is, where it is."""
    if glance.state == "paused" or not glance.reasons:
        return ""
    if glance.state == "recording":  # a dirty lens does not keep it from recording, and a driver can wipe it
        return words["advice_camera"] if part_of(glance.reasons[0]) == "camera" else ""
    told = f" {words['told_ago'].format(n=round(glance.told_s))}" if glance.told_s is not None and glance.told_s > OLD_S else ""
    return words[f"advice_{part_of(glance.reasons[0])}"] + told


def _also(glance: Glance, words: Mapping[str, str]) -> str:
    """What is wrong beside it."""
    reasons = [*(glance.reasons if glance.state in ("recording", "paused") else glance.reasons[1:]), *glance.also]
    colon = "\N{NO-BREAK SPACE}:" if words["lang_name"] == "Français" else ":"
    return f"{words['also']}{colon} {', '.join(reason_words(each, words) for each in reasons)}" if reasons else ""


def _outbox(waiting: int | None, words: Mapping[str, str]) -> str:
    return f"> {number(MOST_WAITING, words)}" if waiting == MOST_WAITING else number(waiting, words)


def _seconds_since(at: str | None, now: datetime) -> float | None:
    moment = _moment(at)
    return None if moment is None else (now - moment).total_seconds()


def _clock(at: str | None) -> str | None:
    """A time of today as the clock shows it, one of another day with its date."""
    moment = _moment(at)
    if moment is None:
        return None
    local = moment.astimezone()
    return f"{local:%H:%M}" if local.date() == datetime.now().astimezone().date() else f"{local:%d/%m %H:%M}"


def _moment(at: str | None) -> datetime | None:
    try:
        return None if at is None else datetime.fromisoformat(at.replace("Z", "+00:00"))
    except ValueError:
        return None


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + "."
