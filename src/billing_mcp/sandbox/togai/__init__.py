"""Togai, emulated: one file per resource, named as in `tools/togai`."""
