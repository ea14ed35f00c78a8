"""The words of the made-up catalogue: kinds of goods, their colours and what is said of them. Data only."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of goods. picture: the name of its drawing; cents: its least price and how far above it may be."""

    name: str
    picture: str
    cents: tuple[int, int]
    about: str


KINDS = (
    Kind("Mug", "mug", (900, 1600), "Holds a generous cup, sits well in the hand and survives the dishwasher."),
    Kind("Table Lamp", "lamp", (3900, 9000), "Warm, even light for a desk or a bedside, with a dimmer in the cord."),
    Kind("Vase", "vase", (1900, 5200), "Narrow at the neck, so that three stems look like a bouquet."),
    Kind("Lounge Chair", "chair", (14900, 32000), "A deep seat, a back that gives a little, and legs of solid wood."),
    Kind("House Plant", "plant", (1200, 3800), "Asks for water once a week and forgives you when you forget."),
    Kind("Wall Clock", "clock", (2400, 6800), "A silent sweep movement, easy to read from across the room."),
    Kind("Backpack", "backpack", (5900, 9900), "Room for a laptop and a weekend, in canvas that keeps the rain out."),
    Kind("Teapot", "teapot", (2900, 5400), "Pours without a drip and keeps a litre hot until the second cup."),
    Kind("Notebook", "book", (700, 1500), "Thread-bound, opens flat, 192 pages that take ink without bleeding."),
    Kind("Cushion", "cushion", (1800, 4200), "A linen cover with a hidden zip around a filling that keeps its shape."),
    Kind("Headphones", "headphones", (6900, 19000), "Thirty hours to a charge and soft pads you stop noticing."),
    Kind("Water Bottle", "bottle", (1600, 2900), "Double-walled steel: cold for a day, hot for half of one."),
)

COLOURS = ("Terracotta", "Sage", "Ink Blue", "Mustard", "Plum")

STYLES = (
    "Nordic", "Harbour", "Orchard", "Atelier", "Meadow", "Studio", "Coastal", "Alpine", "Linden", "Foundry",
    "Cove", "Juniper", "Market", "Pavilion", "Quarry", "Riverside", "Saddle", "Timber", "Valley", "Willow",
    "Amber", "Birch", "Cinder", "Dune", "Ember", "Fjord", "Grove", "Heron", "Isle", "Kiln",
    "Loft", "Moss", "North", "Opal", "Pine", "Quill", "Rowan", "Slate", "Thistle", "Wren",
)  # fmt: skip

MATERIALS = (
    "Made in small batches by people who sign their work.",
    "Finished by hand; no two are quite alike.",
    "Designed to be mended: every part can be had on its own.",
    "Packed without plastic and sent within two days.",
    "From a workshop that has done little else for forty years.",
    "With a guarantee of five years, and a person who answers the telephone.",
)

FIRST_NAMES = (
    "Ada", "Ben", "Clara", "David", "Emma", "Felix", "Greta", "Hugo", "Ida", "Jonas",
    "Karin", "Leo", "Mira", "Noah", "Olga", "Paul", "Rosa", "Samir", "Tilda", "Viktor",
)  # fmt: skip

LAST_NAMES = (
    "Adler", "Berg", "Castro", "Dahl", "Evans", "Fischer", "Garcia", "Hansen", "Ito", "Jansen",
    "Keller", "Lindgren", "Moreau", "Novak", "Okafor", "Petrov", "Rossi", "Silva", "Tanaka", "Weber",
)  # fmt: skip
