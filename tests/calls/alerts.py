"""Good calls of the tools for alerts, incidents and metrics."""

from typing import Any

from world import World

HARBOR = {"account": {"id": "harbor-main"}}


def alert(world: World, template: str, threshold: int, **about: Any) -> str:
    """The id of an alert about harbor-main, checked every day."""
    body = {
        "alertTemplateId": f"alert_template.{template}",
        "interval": 1440,
        "status": "ACTIVE",
        "entityDetails": HARBOR | about,
        "parameters": {"threshold": {"value": threshold}},
    }
    alert_id: str = world.ask("POST", "/togai/alerts", body)["id"]
    return alert_id


def incident(world: World) -> str:
    """The id of an open incident: harbor-main has no credit."""
    alert(world, "credit-balance", 50)
    incident_id: str = world.ask("GET", "/togai/incidents")["data"][0]["id"]
    return incident_id


def calls(world: World) -> dict[str, dict[str, Any]]:
    """Arguments by tool. Prepares at the vendor what a call needs to find there."""
    quiet = alert(world, "spend", 1_000_000)
    found = {"incidentId": incident(world)}
    november = {"startTime": "2026-11-01T00:00:00Z", "endTime": "2026-12-01T00:00:00Z"}
    return {
        "list-alert-templates": {},
        "get-alert-template": {"alertTemplateId": "alert_template.feature-credits"},
        "list-alerts": {},
        "create-alert": {
            "alertTemplateId": "alert_template.feature-credits",
            "interval": 60,
            "entityDetails": HARBOR | {"feature": {"id": world.answers}},
            "parameters": {"threshold": {"value": 80}},
        },
        "update-alert": {"alertId": quiet, "status": "INACTIVE"},
        "list-incidents": {},
        "get-incident": found,
        "update-incident-status": found,
        "query-metrics": november | {"metricQueries": [{"name": "EVENTS"}]},
    }
