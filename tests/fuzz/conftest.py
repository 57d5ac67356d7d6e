"""How long the fuzz targets run: seconds among the other tests, minutes with --hypothesis-profile=fuzz."""

from datetime import timedelta

from hypothesis import HealthCheck, settings

BOUNDED = {"deadline": timedelta(seconds=30), "suppress_health_check": list(HealthCheck)}
settings.register_profile("quick", max_examples=25, derandomize=True, database=None, **BOUNDED)
settings.register_profile("fuzz", max_examples=5_000, **BOUNDED)
if settings.get_current_profile_name() != "fuzz":
    settings.load_profile("quick")
