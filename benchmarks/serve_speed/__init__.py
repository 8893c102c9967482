"""The HTTP service under load, over loopback, beside a bare FastAPI route."""
