"""A policy that lets every write run directly, for tests that are not about who may write what."""

from pathlib import Path

ANYTHING = Path(__file__).with_name("anything.toml")
