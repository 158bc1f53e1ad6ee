"""Tools over Togai, one file per resource."""
