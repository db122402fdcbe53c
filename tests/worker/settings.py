"""What processes run under that a test starts: the test's own database and broker."""

from bitnerve.settings.test import *  # noqa: F403
from bitnerve.settings.test import DATABASES, env

for place in DATABASES.values():
    place["NAME"] = env.str("BITNERVE_TEST_DATABASE")
