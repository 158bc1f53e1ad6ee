"""The two vendors, emulated offline: all that outsiders see is `open_sandbox`."""
