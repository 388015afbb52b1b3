"""The reasons that a unit gives in `health`: what it says when it does not record, or when something is wrong meanwhile.

docs/reasons.md says what each means and what to do; a test holds the two together.
"""

from typing import Literal

from device import refusal
from sync.failure import Code
from sync.refusal import Alarm

State = Literal["recording", "paused", "waiting", "fault"]

OfReceiver = refusal.Reason
"""Why reports of the receiver are no fix."""

OfCapture = Literal["camera_stalled", "gpsd_lost", "no_fix", "stopped"]
"""Why the capture photographs nothing."""

OfHealth = Literal["capture_not_running", "capture_silent"]
"""What is told where the capture tells nothing itself."""

OfSync = (
    Code
    | Alarm
    | Literal["database_damaged", "database_renewed", "disk_low", "wal_large", "certificate_expires", "settings_fallback"]
)
"""What is wrong with database, disk and link."""

OfQuality = Literal["mount_moved", "covered", "dark", "glare", "dirty_lens", "blur", "wet"]
"""What is wrong with most of the latest photos: they grade nothing."""

Reason = OfCapture | OfHealth | OfSync | OfReceiver | OfQuality
