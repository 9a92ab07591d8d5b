"""The arrays of one packing as views of its three arenas."""

from typing import Any

from alliage.decide.packing.layout import Books, Ints, Longs, Reals


def view(arena: Longs | Ints | Reals, places: Longs, index: int) -> Any:
    """One array of the arena, two axes."""
    start, rows, columns = places[index, 0], places[index, 1], places[index, 2]
    return arena[start : start + rows * columns].reshape((rows, columns))


def open_books(longs: Longs, ints: Ints, reals: Reals, places: Longs) -> Books:
    """The views, in the order of `Books`."""
    return Books(
        view(longs, places, 0),
        view(longs, places, 1),
        view(longs, places, 2),
        view(longs, places, 3),
        view(longs, places, 4),
        view(longs, places, 5),
        view(longs, places, 6),
        view(longs, places, 7),
        view(longs, places, 8),
        view(longs, places, 9),
        view(longs, places, 10),
        view(longs, places, 11),
        view(longs, places, 12),
        view(longs, places, 13),
        view(longs, places, 14),
        view(longs, places, 15),
        view(longs, places, 16),
        view(longs, places, 17),
        view(longs, places, 18),
        view(longs, places, 19),
        view(longs, places, 20),
        view(longs, places, 21),
        view(longs, places, 22),
        view(longs, places, 23),
        view(ints, places, 24),
        view(ints, places, 25),
        view(ints, places, 26),
        view(ints, places, 27),
        view(ints, places, 28),
        view(ints, places, 29),
        view(ints, places, 30),
        view(ints, places, 31),
        view(ints, places, 32),
        view(reals, places, 33),
        view(reals, places, 34),
        view(reals, places, 35),
        view(reals, places, 36),
        view(reals, places, 37),
    )
