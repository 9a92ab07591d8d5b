"""For all tests: Hypothesis finds what is wrong, not what is slow; a busy machine is no failure."""

import os

from hypothesis import HealthCheck, settings

LONGER = int(os.environ.get("ALLIAGE_FUZZ") or 1)
"""`ALLIAGE_FUZZ=20` tries twenty times as many examples of each property (`make fuzz`)."""


def examples(usual: int) -> int:
    """How many examples of a property that cannot afford the default of 100, or needs more."""
    return usual * LONGER


settings.register_profile(
    "alliage", deadline=None, max_examples=examples(100), suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("alliage")
