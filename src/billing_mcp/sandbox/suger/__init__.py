"""Suger, emulated: one file per resource, named as in `tools/suger`."""
