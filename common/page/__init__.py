"""One page of all results, to open in a browser: `python -m common.page`."""
