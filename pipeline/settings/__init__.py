"""What a site can set: frozen values, and how they are read and checked."""

from pipeline.settings.reading import find_config, load_settings
from pipeline.settings.values import (
    ENVIRONMENT_PREFIX,
    SECTIONS,
    SWITCHES,
    TOKEN_PLACES,
    Api,
    Budget,
    Checks,
    Duration,
    Extract,
    Notify,
    Report,
    Settings,
    Site,
    Storage,
    Token,
    defaults_of,
    seconds_of,
)

__all__ = [
    "ENVIRONMENT_PREFIX",
    "SECTIONS",
    "SWITCHES",
    "TOKEN_PLACES",
    "Api",
    "Budget",
    "Checks",
    "Duration",
    "Extract",
    "Notify",
    "Report",
    "Settings",
    "Site",
    "Storage",
    "Token",
    "defaults_of",
    "find_config",
    "load_settings",
    "seconds_of",
]
