"""The vendor's own Togai client drives alerts, incidents and metrics."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from oracle.togai_clients import NOON, RATES, SLABS, Togai, refused, sdk

NOVEMBER = (datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC))


@pytest.fixture
def alerts(togai: Togai) -> Any:
    return sdk.AlertsApi(togai.accounts.api_client)


@pytest.fixture
def metrics(togai: Togai) -> Any:
    return sdk.MetricsApi(togai.accounts.api_client)


def low_credit(alerts: Any, **fields: Any) -> Any:
    """An alert that fires when the account has less than 50 of credit."""
    body = {
        "alertTemplateId": "alert_template.credit-balance",
        "interval": 60,
        "validity": 1440,
        "status": "ACTIVE",
        "entityDetails": {"account": {"id": "acme-main"}},
        "parameters": {"threshold": {"value": 50}},
        **fields,
    }
    return alerts.create_alert(sdk.CreateAlertRequest.from_dict(body))


def asked(metrics: Any, **query: Any) -> Any:
    """The answer to one query about November."""
    body = {
        "startTime": NOVEMBER[0].isoformat(),
        "endTime": NOVEMBER[1].isoformat(),
        "metricQueries": [{"id": "q", "aggregationPeriod": "MONTH", **query}],
    }
    return metrics.get_metrics(sdk.GetMetricsRequest.from_dict(body)).results[0]


def test_templates_are_listed_and_read(alerts: Any) -> None:
    listed = alerts.get_alert_templates().data

    assert listed[0].name == "Credit balance is low"
    assert alerts.get_alert_template(listed[0].id) == listed[0]
    message = refused(404, alerts.get_alert_template, "none")
    assert message == "Alert template none not found"


def test_an_alert_is_made_listed_and_changed(togai: Togai, alerts: Any) -> None:
    togai.account()
    made = low_credit(alerts)
    assert (made.version, made.status.value, made.interval, made.validity) == (
        1,
        "ACTIVE",
        60,
        1440,
    )
    assert made.entity_details == {"account": {"id": "acme-main"}}
    assert alerts.list_alerts().data == [made]

    change = sdk.UpdateAlertRequest.from_dict({"status": "INACTIVE", "description": "Quiet"})
    changed = alerts.update_alert(made.id, change)
    assert (changed.version, changed.status.value, changed.description) == (2, "INACTIVE", "Quiet")
    assert refused(404, alerts.update_alert, "none", change) == "Alert none not found"
    nobody = sdk.CreateAlertRequest.from_dict(
        made.to_dict() | {"entityDetails": {"account": {"id": "nobody"}}}
    )
    assert refused(404, alerts.create_alert, nobody).startswith("entityDetails.account.id")


def test_an_incident_is_opened_listed_read_and_closed(togai: Togai, alerts: Any) -> None:
    togai.account()
    alert = low_credit(alerts)

    (incident,) = alerts.get_incidents().data
    assert (incident.alert_id, incident.alert_version, incident.status) == (alert.id, 1, "OPEN")
    assert (incident.created_at, incident.last_checked_at) == (NOON, NOON)
    assert incident.valid_until == NOON + timedelta(days=1)
    assert incident.report_data["measured"] == {"value": 0, "unit": "USD"}
    assert alerts.get_incident(incident.id) == incident
    close = sdk.UpdateIncidentStatusRequest(status="CLOSED")
    assert alerts.update_incident_status(incident.id, close).status == "CLOSED"
    assert refused(404, alerts.get_incident, "none") == "Incident none not found"
    missing = refused(404, alerts.update_incident_status, "none", close)
    assert missing == "Incident none not found"


def test_metrics_of_each_kind_are_decoded(togai: Togai, metrics: Any) -> None:
    """5 calls at 2.00."""
    togai.account()
    meter = togai.meter()
    card = {"usageMeterId": meter.id, "ratePlan": SLABS, "rateValues": RATES}
    togai.associate(togai.active_plan(usageRateCards=[card]).id)
    togai.ingestion.ingest(sdk.IngestEventRequest(event=togai.event()))

    def figures(name: str, **fields: Any) -> list[Any]:
        result = asked(metrics, name=name, **fields)
        assert (result.id, result.name.value) == ("q", name)
        assert [points.timestamps for points in result.data] == [[NOVEMBER[0]]]
        return list(result.data[0].metric_values)

    owner = [{"fieldName": "CUSTOMER_ID", "fieldValues": ["acme"]}]
    assert figures("EVENTS", filters=owner) == [1]
    assert figures("USAGE") == figures("METER_USAGE") == figures("USAGE_FOR_CYCLE") == [5]
    assert figures("REVENUE", configs={"CURRENCY": "INVOICE"}) == [10]
    assert figures("REVENUE_FOR_CYCLE") == [10]
    assert figures("NAMED_LICENSE_USAGE") == [0]
    grouped = asked(metrics, name="USAGE", groupBy="BILLABLE_ID").data[0].grouped_by
    assert (grouped.field_name, grouped.field_value) == ("BILLABLE_ID", meter.id)


def test_a_question_outside_the_matrix_is_refused(metrics: Any) -> None:
    body = {
        "startTime": "2026-11-01T00:00:00Z",
        "endTime": "2026-12-01T00:00:00Z",
        "metricQueries": [
            {"id": "q", "name": "USAGE", "aggregationPeriod": "DAY", "groupBy": "EVENT_STATUS"}
        ],
    }
    request = sdk.GetMetricsRequest.from_dict(body)
    assert refused(400, metrics.get_metrics, request).startswith("metricQueries[0].groupBy")
    with pytest.raises(ValidationError):
        sdk.MetricQuery(id="q", name="EVENTS", aggregationPeriod="YEAR")
