"""Togai, emulated: the list of its resources and of the jobs that time runs."""

from billing_mcp.sandbox.call import Resource
from billing_mcp.sandbox.jobs import Job

RESOURCES: tuple[Resource, ...] = ()
JOBS: tuple[Job, ...] = ()
