"""How far rounds have been joined into things: a page shows the findings beyond that by themselves."""

from typing import Final

from sync.receiver.atlas import Atlas

JOINED: Final = "SELECT source, round_id, last_seq, joined_seq FROM round ORDER BY began_at DESC LIMIT ?"


def joined(atlas: Atlas, limit: int) -> dict[tuple[str, str], tuple[int, int]]:
    """Of the latest rounds, by source and id: the number of the latest event, and up to which one they were joined.

    Raises:
        DatabaseFailed: the database does not answer.
    """
    # The atlas tells rounds without these two columns; once `RoundDriven` has them, this goes.
    rows = atlas._rows(JOINED, [limit])  # noqa: SLF001 - the one question that it has no word for
    return {(source, round_id): (last_seq, joined_seq) for source, round_id, last_seq, joined_seq in rows}
