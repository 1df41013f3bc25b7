"""Property tests draw the same cases in every run of the tests, so that a failure is of the change that it stands at.

The campaign draws new ones: ``--hypothesis-profile new``.
"""

from hypothesis import settings

settings.register_profile("same", derandomize=True, deadline=None)
settings.register_profile("new", deadline=None, print_blob=True)
settings.load_profile("same")
