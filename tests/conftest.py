"""For all tests: Hypothesis finds what is wrong, not what is slow; a busy machine is no failure."""

from hypothesis import HealthCheck, settings

settings.register_profile("alliage", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("alliage")
