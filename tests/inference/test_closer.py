"""The closer look: vehicles cut out, laid side by side, and boxes brought back to where they are in the frame."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from inference.closer import LEAST_GAIN, MOST, MOST_ENLARGED, gather

WIDTH, HEIGHT = 512, 384
FRAME = (1088, 1456, 3)


def frame_with(boxes, colours):
    pixels = np.full(FRAME, 100, np.uint8)
    for (left, top, right, bottom), colour in zip(boxes, colours, strict=True):
        pixels[top:bottom, left:right] = colour
    return pixels


def test_without_vehicles_there_is_nothing_to_look_at():
    assert gather(np.zeros(FRAME, np.uint8), [], WIDTH, HEIGHT) is None


def test_a_vehicle_that_fills_the_frame_has_been_seen_well_enough():
    assert gather(np.zeros(FRAME, np.uint8), [(0, 0, 1456, 1088)], WIDTH, HEIGHT) is None


def test_a_small_vehicle_is_enlarged_but_not_without_bound():
    closer = gather(np.zeros(FRAME, np.uint8), [(700, 500, 740, 530)], WIDTH, HEIGHT)
    (cut,) = closer.cuts
    assert MOST_ENLARGED * 0.9 < cut.scale_x < MOST_ENLARGED * 1.1
    assert closer.pixels.shape == (HEIGHT, WIDTH, 3)


def test_four_share_the_picture_and_of_more_the_largest_are_seen():
    boxes = [(100 * n, 300, 100 * n + 40 + 6 * n, 380) for n in range(1, 8)]
    closer = gather(frame_with(boxes, [30 * n for n in range(1, 8)]), boxes, WIDTH, HEIGHT)
    assert sorted(cut.number for cut in closer.cuts) == [3, 4, 5, 6]
    assert len(closer.cuts) == MOST
    for cut in closer.cuts:
        left, top, right, bottom = cut.cell
        assert closer.pixels[(top + bottom) // 2, (left + right) // 2, 0] == 30 * (cut.number + 1)


places = st.tuples(st.integers(0, 1300), st.integers(0, 950), st.integers(12, 500), st.integers(12, 400)).map(
    lambda p: (p[0], p[1], min(1456, p[0] + p[2]), min(1088, p[1] + p[3]))
)


@settings(max_examples=60, deadline=None)
@given(st.lists(places, min_size=1, max_size=6))
def test_boxes_lead_back_to_the_frame_and_no_two_cells_overlap(vehicles):
    closer = gather(np.zeros(FRAME, np.uint8), vehicles, WIDTH, HEIGHT)
    if closer is None:
        return
    taken = np.zeros((HEIGHT, WIDTH), int)
    for cut in closer.cuts:
        left, top, right, bottom = cut.cell
        taken[top:bottom, left:right] += 1
        usual = min(WIDTH / 1456, HEIGHT / 1088)
        assert cut.scale_x > LEAST_GAIN * usual * 0.8
        vehicle = vehicles[cut.number]
        whole = cut.in_frame(np.array([cut.cell], float))[0]
        assert whole[0] <= vehicle[0]
        assert whole[1] <= vehicle[1]
        assert whole[2] >= vehicle[2] - 1e-6
        assert whole[3] >= vehicle[3] - 1e-6
    assert taken.max() == 1


def test_a_box_belongs_to_the_cell_that_holds_its_middle():
    boxes = [(100, 300, 200, 400), (600, 300, 700, 400)]
    first, second = gather(np.zeros(FRAME, np.uint8), boxes, WIDTH, HEIGHT).cuts
    found = np.array([[(first.cell[0] + 5), 5, (first.cell[2] + 30), 40]], float)
    assert first.holds(found).tolist() == [True]
    assert second.holds(found).tolist() == [False]
    assert first.in_frame(found)[0, 2] <= 200 + 0.1 * 100 + 1.01
