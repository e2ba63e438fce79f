"""The API as data: resources and columns as frozen values, and the file they are read from."""

from pipeline.resources.reading import FORMAT, default_path, parse_catalogue, read_catalogue
from pipeline.resources.values import Catalogue, Column, Evidence, Kind, Personal, Resource, Tie, snake_case

__all__ = [
    "FORMAT",
    "Catalogue",
    "Column",
    "Evidence",
    "Kind",
    "Personal",
    "Resource",
    "Tie",
    "default_path",
    "parse_catalogue",
    "read_catalogue",
    "snake_case",
]
