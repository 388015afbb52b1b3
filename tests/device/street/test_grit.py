import numpy as np

from device.street.grit import MOST, OFFSET, SPREADS, grit, spread_of
from device.street.surface import BRIGHTEST, DARKEST


def stones(number):
    return (grit(number) & 0xFF).astype(int) - MOST


def test_a_pixel_that_holds_more_stones_shows_them_less():
    assert [spread_of(0.005, along_m) for along_m in (0.008, 0.03, 0.1, 0.5)] == [0, 1, 2, 3]
    spreads = [stones(number).std() for number in range(len(SPREADS))]
    assert spreads == sorted(spreads, reverse=True)
    assert all(abs(stones(number).mean()) < 1.0 for number in range(len(SPREADS)))


def test_no_byte_of_the_ground_overflows_into_the_next():
    for number in range(len(SPREADS)):
        assert np.abs(stones(number)).max() <= MOST
    for tone in (DARKEST, BRIGHTEST):
        word = np.uint32(tone * 0x010101)
        for stone in (-MOST, MOST):
            total = int(word + np.uint32((stone + MOST) * 0x010101) - OFFSET)
            assert total == (tone + stone) * 0x010101
            assert 0 <= tone + stone <= 255
