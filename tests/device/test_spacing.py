"""The spacing report: what was photographed, and the road without a photo with its reason."""

import pytest

from device.spacing import Gap, Spacing


def test_gaps_close_at_the_next_frame_with_the_reason_met_most():
    spacing = Spacing(4.0)
    spacing.kept(1.0, filled=False, standing=False)
    spacing.missed("no_fix")
    spacing.missed("no_fix")
    spacing.missed("no_frame")
    gap = spacing.kept(17.0, filled=True, standing=False)
    assert gap == Gap(1.0, 16.0, "no_fix")
    assert spacing.gaps == [gap]
    assert (spacing.frames, spacing.marks, spacing.filled) == (2, 5, 1)


def test_a_gap_still_open_at_the_end_is_closed_there():
    spacing = Spacing(4.0)
    spacing.missed("hiding_failed")
    assert spacing.end(9.0) == Gap(0.0, 9.0, "hiding_failed")
    assert spacing.end(9.0) is None


def test_share_within_counts_distances_not_frames():
    spacing = Spacing(4.0)
    for odometer_m in (1.0, 5.0, 9.4, 14.0):
        spacing.kept(odometer_m, filled=False, standing=False)
    assert spacing.share_within == pytest.approx(2 / 3)
    assert spacing.histogram_m() == {"4.0": 2, "4.5": 1}


def test_an_empty_round_has_no_shares():
    assert Spacing(4.0).share_within is None
    assert Spacing(4.0).filled_share is None
