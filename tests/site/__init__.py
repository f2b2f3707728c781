"""The site: quick tests of its parts here, those of what `make site` has built in `built`."""
