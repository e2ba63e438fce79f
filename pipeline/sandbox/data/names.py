"""Words that people, suppliers and places of the books are assembled from. All of it is made up.

People carry colours for surnames, as in the vendor's own samples; suppliers are animals: nobody can take them for real.
"""

from __future__ import annotations

from typing import Final

FIRST_NAMES: Final = (
    "Olivia Noah Charlotte Oliver Amelia Jack Isla Henry Mia Leo Ava William Grace Lucas Chloe Thomas Ella James "
    "Matilda Hudson Sophie Levi Zoe Archie Hana Aroha Nikau Manaia Tane Priya Arjun Mei Wei Linh Minh Fatima Omar "
    "Sofia Mateo Zoë"
).split()
SURNAMES: Final = (
    "Magenta Teal Umber Ochre Indigo Scarlet Amber Sienna Cobalt Violet Crimson Olive Coral Azure Russet Sable "
    "Ivory Slate Copper Jade Maroon Saffron Lilac Khaki Mauve Cerise Ebony Fuchsia Sepia Topaz Vermilion Viridian "
    "Walnut Lavender Mahogany Pewter Rosé O'Green Cream-Grey Wine"
).split()
MOODS: Final = (
    "Amused Brave Calm Dapper Eager Fabled Gentle Humble Idle Jolly Keen Lucky Mellow Nimble Orderly Patient Quiet "
    "Rapid Silent Tidy Upbeat Velvet Witty Zesty Polite Crafty Sunny Steady Bold Curious"
).split()
ANIMALS: Final = (
    "Wombat Quokka Numbat Platypus Echidna Kookaburra Bandicoot Bilby Dugong Galah Lorikeet Cassowary Kiwi Tui Kea "
    "Weka Pukeko Wallaby Possum Goanna"
).split()
TRADES: Final = (
    "Freight,Catering,Couriers,Stationery,Cleaning,Electrical,Plumbing,Software,Telecom,Legal,Advisory,Signage,"
    "Scaffolding,Plant Hire,Uniforms,Printing,Security,Training,Landscaping,Fuel"
).split(",")

# name of the place, its state or region, post code; the places do not exist, the codes are the states' own ranges
PLACES_AU: Final = (
    ("Samplefield", "NSW", "2990"),
    ("Mockwell", "VIC", "3990"),
    ("Testburra", "QLD", "4990"),
    ("Demo Creek", "SA", "5799"),
    ("Fabled Bay", "WA", "6990"),
    ("Port Pretend", "TAS", "7490"),
    ("Darwin's Example", "NT", "0899"),
)
PLACES_NZ: Final = (
    ("Te Tauira", "Auckland", "0999"),
    ("Samplebridge", "Canterbury", "8999"),
    ("Whakaari Demo", "Waikato", "3999"),
)
STREETS: Final = "Placeholder Street,Example Road,Specimen Lane,Pattern Avenue,Draft Parade,Sandpit Drive".split(",")

SUMMARIES: Final = (
    "",
    "Monthly card statement",
    "Site visit",
    "Client meetings",
    "Conference travel",
    "Team offsite",
    "Office supplies",
    "Kilometres for the month",
    "Training course",
    "Quarter-end close",
)
NOTES: Final = (
    "",
    "",
    "",
    "",
    "Receipt to follow",
    'Discussed with "head office", see e-mail',
    "Café lunch – naïve split, please check",  # noqa: RUF001 - people type dashes
    "Whānau day, Ōtautahi",
    "Line one\nline two\tafter a tab",
    "Path C:\\receipts\\scan 1",
)
ELEMENTS: Final = "Design,Procurement,Earthworks,Structure,Fit-out,Commissioning,Handover".split(",")
