"""Names are found anew here, whatever this user's cache holds, and none are left there."""

import pytest


@pytest.fixture(scope="package", autouse=True)
def nothing_kept():
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PREFIX_LAB_CACHE", "")
        yield
