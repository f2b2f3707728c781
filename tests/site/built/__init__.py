"""The site as `make site` has built it: `make site-test`."""
