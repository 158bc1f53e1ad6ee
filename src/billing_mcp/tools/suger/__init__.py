"""Tools over Suger, one file per resource."""
