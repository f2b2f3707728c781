"""Names are found anew here, whatever this user's cache holds, and none are left there."""

import os

os.environ["PREFIX_LAB_CACHE"] = ""
