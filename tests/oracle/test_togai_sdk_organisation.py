"""The vendor's own Togai client reads what an organisation keeps: settings, aliases, contacts,
tokens, files, reports, versions of schemas; and is refused as documented wherever it is wrong.

Its defects: `ReportsApi.list_reports` has no `account_id`; `EventManagementApi.event_correction`
has neither filters nor `async`; `FileStorageApi.get_file` follows the redirect and throws away what
it leads to. It has no `DELETE /events`, which the vendor deprecated before.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from oracle.togai_clients import NOON, Togai, refused, sdk

SETTING = {
    "id": "per_kilo",
    "value": "1000",
    "entityType": "ACCOUNT",
    "entityId": "acme-main",
    "namespace": "USER",
    "name": "Calls in a kilocall",
    "dataType": "NUMERIC",
}
FULL_ID = "setting.USER.per_kilo.ACCOUNT.acme-main"
ENRICHMENTS = {
    "dependencies": [{"type": "SETTING", "key": "setting.user.per_kilo", "name": "per_kilo"}],
    "fields": [
        {
            "name": "kilocalls",
            "type": "ATTRIBUTE",
            "enrichmentType": "JSON_LOGIC",
            "value": '{"/": [{"var": "attribute.calls"}, {"var": "dependencies.per_kilo"}]}',
            "order": 1,
        }
    ],
}


@dataclass(frozen=True, slots=True)
class Clients:
    """The clients that only these tests use."""

    settings: Any
    aliases: Any
    files: Any
    reports: Any
    authentication: Any
    portal: Any
    jobs: Any


@pytest.fixture
def kept(togai: Togai) -> Clients:
    client = togai.accounts.api_client
    return Clients(
        sdk.SettingsApi(client),
        sdk.AliasesApi(client),
        sdk.FileStorageApi(client),
        sdk.ReportsApi(client),
        sdk.AuthenticationApi(client),
        sdk.CustomerPortalApi(client),
        sdk.JobsApi(client),
    )


def test_a_setting_is_created_read_listed_and_updated(togai: Togai, kept: Clients) -> None:
    togai.account()
    made = kept.settings.insert_setting(sdk.Setting.from_dict(SETTING))
    assert (made.id, made.data_type, made.entity_type) == ("per_kilo", "NUMERIC", "ACCOUNT")

    change = sdk.UpdateSettingRequest(value="500")
    assert kept.settings.update_setting(FULL_ID, change).value == "500"
    assert kept.settings.get_setting(FULL_ID).value == "500"
    (listed,) = kept.settings.list_setting(
        entity_type="ACCOUNT", entity_id="acme-main", setting_id="per_kilo", namespace="USER"
    ).data
    assert listed.name == "Calls in a kilocall"
    (own,) = togai.accounts.get_account("acme-main").settings
    assert (own.id, own.value) == ("per_kilo", "500")


def test_aliases_are_created_read_listed_and_deleted(kept: Clients) -> None:
    wanted = sdk.CreateBulkAliasRequest(aliases=[sdk.CreateAliasRequest(value="device/1")])
    (made,) = kept.aliases.create_alias(wanted).data
    assert (made.value, made.created_at) == ("device/1", NOON)

    assert kept.aliases.get_alias("device/1").value == "device/1"
    assert [row.value for row in kept.aliases.list_aliases(page_size=5).data] == ["device/1"]
    assert kept.aliases.delete_alias("device/1").success is True
    assert kept.aliases.list_aliases().data == []


def test_a_contact_is_created(togai: Togai) -> None:
    togai.customer()
    wanted = sdk.CreateCustomerContactRequest(
        name="Accounts payable", email="payable@acme.example", login_access=True
    )

    made = togai.customers.create_customer_contact("acme", wanted)

    assert (made.name, made.email, made.login_access) == (
        "Accounts payable",
        "payable@acme.example",
        True,
    )
    assert (made.verified, made.created_at) == (False, NOON)


def test_tokens_are_given(togai: Togai, kept: Clients) -> None:
    togai.account()

    assert kept.authentication.authenticate().token.count(".") == 2
    wanted = sdk.GetCustomerPortalDelegateTokenRequest(
        customer_id="acme", account_ids=["acme-main"], expiry=60
    )
    assert kept.portal.get_customer_portal_delegate_token(wanted).token.count(".") == 2


def test_reports_are_listed_and_their_files_read(togai: Togai, kept: Clients) -> None:
    togai.sandbox.backend.run_job("write-reports", None)

    (report,) = kept.reports.list_reports(fetch_for="ORGANIZATION").data

    assert (report.status, report.type, report.created_at) == ("COMPLETED", "CUSTOM", NOON)
    assert kept.reports.list_reports(fetch_for="ACCOUNTS", page_size=5).data == []
    link = kept.files.get_download_url(report.file_id, expiry=60).download_url
    assert f"/control/files/{report.file_id}?" in link
    followed = kept.files.get_file_without_preload_content(report.file_id)
    assert followed.read().startswith(b"id,owner_id,status")
    assert kept.files.get_file(report.file_id) is None


def test_versions_and_enrichments_of_a_schema_are_read(togai: Togai, kept: Clients) -> None:
    togai.account()
    kept.settings.insert_setting(sdk.Setting.from_dict(SETTING))
    togai.schema()
    change = sdk.UpdateEventSchemaRequest.from_dict({"enrichments": ENRICHMENTS})
    updated = togai.schemas.event_schema_event_schema_name_patch("api_calls", change)
    assert updated.enrichments.fields[0].enrichment_type == "JSON_LOGIC"

    versions = togai.schemas.list_event_schema_versions("api_calls").data
    assert [(row.version, row.status) for row in versions] == [(2, "ACTIVE"), (1, "ARCHIVED")]

    togai.ingestion.ingest(sdk.IngestEventRequest(event=togai.event(calls="2500")))
    (event,) = togai.management.get_single_event("call-1").events
    added = event.event_pipeline_info.enrichments
    assert [(row.name, row.value) for row in added.attributes] == [("kilocalls", "2.5")]
    assert [(row.key, row.value) for row in added.dependencies] == [
        ("setting.user.per_kilo", "1000")
    ]


def test_a_correction_waits_for_its_confirmation(togai: Togai, kept: Clients) -> None:
    togai.entitled()
    togai.ingestion.ingest(sdk.IngestEventRequest(event=togai.event()))
    request = sdk.EventCorrectionRequest(event=togai.event())

    (waiting,) = togai.management.event_correction("UNDO", True, request).data
    (job,) = kept.jobs.get_jobs().data

    assert (waiting.status, job.id in waiting.reason) == ("FAILED", True)
    assert kept.jobs.confirm_job(job.id).status == "COMPLETED"
    (event,) = togai.management.get_single_event("call-1").events
    assert event.ingestion_status.status == "REVERTED"


Attempt = Callable[[Togai, Clients], tuple[Any, ...]]
MISSING: dict[str, Attempt] = {
    "Customer none not found": lambda togai, _: (togai.customers.get_customer, "none"),
    "Customer nobody not found": lambda togai, _: (
        togai.customers.update_customer,
        "nobody",
        sdk.UpdateCustomerRequest(name="Nobody"),
    ),
    "Customer gone not found": lambda togai, _: (togai.customers.delete_customer, "gone"),
    "Customer lost not found": lambda togai, _: (
        togai.customers.create_customer_contact,
        "lost",
        sdk.CreateCustomerContactRequest(name="Payable", email="payable@acme.example"),
    ),
    "Customer away not found": lambda _, kept: (
        kept.portal.get_customer_portal_delegate_token,
        sdk.GetCustomerPortalDelegateTokenRequest(customer_id="away", all_accounts_access=True),
    ),
    "Account one not found": lambda togai, _: (
        togai.accounts.update_account,
        "one",
        sdk.UpdateAccountRequest(name="Other"),
    ),
    "Account two not found": lambda togai, _: (togai.accounts.delete_account, "two"),
    "Account three not found": lambda togai, _: (togai.accounts.list_account_aliases, "three"),
    "Account four not found": lambda togai, _: (
        togai.accounts.add_aliases,
        "four",
        sdk.AddAccountAliasesRequest(aliases=["abc"]),
    ),
    "Account five not found": lambda togai, _: (
        togai.accounts.remove_aliases,
        "five",
        sdk.RemoveAccountAliasesRequest(aliases=["abc"]),
    ),
    "Alias none not found": lambda _, kept: (kept.aliases.get_alias, "none"),
    "Alias gone not found": lambda _, kept: (kept.aliases.delete_alias, "gone"),
    "Setting none not found": lambda _, kept: (kept.settings.get_setting, "none"),
    "Setting gone not found": lambda _, kept: (
        kept.settings.update_setting,
        "gone",
        sdk.UpdateSettingRequest(value="1"),
    ),
    "File none not found": lambda _, kept: (kept.files.get_file, "none"),
    "File gone not found": lambda _, kept: (kept.files.get_download_url, "gone"),
    "Event schema a not found": lambda togai, _: (togai.schemas.get_event_schema, "a"),
    "Event schema b not found": lambda togai, _: (
        togai.schemas.event_schema_event_schema_name_patch,
        "b",
        sdk.UpdateEventSchemaRequest(description="b"),
    ),
    "Event schema c not found": lambda togai, _: (togai.schemas.delete_event_schema, "c"),
    "Event schema d not found": lambda togai, _: (togai.schemas.activate_event_schema, "d"),
    "Event schema e not found": lambda togai, _: (togai.schemas.deactivate_event_schema, "e"),
    "Event schema f not found": lambda togai, _: (togai.schemas.list_event_schema_versions, "f"),
    "Feature feat.1 not found": lambda togai, _: (togai.features.get_feature, "feat.1"),
    "Feature feat.2 not found": lambda togai, _: (
        togai.features.update_feature,
        "feat.2",
        sdk.UpdateFeatureRequest(name="Other"),
    ),
    "Usage meter um.1 not found": lambda togai, _: (togai.meters.delete_usage_meter, "um.1"),
    "Usage meter um.2 not found": lambda togai, _: (
        togai.meters.update_usage_meter,
        "um.2",
        sdk.UpdateUsageMeterRequest(name="Other"),
    ),
    "Usage meter um.3 not found": lambda togai, _: (togai.meters.activate_usage_meter, "um.3"),
    "Usage meter um.4 not found": lambda togai, _: (togai.meters.deactivate_usage_meter, "um.4"),
}


@pytest.mark.parametrize("message", MISSING)
def test_what_is_not_there_is_refused_with_404(togai: Togai, kept: Clients, message: str) -> None:
    operation, *arguments = MISSING[message](togai, kept)

    assert refused(404, operation, *arguments) == message


WRONG: dict[str, Attempt] = {
    "nextToken is not a token of this API": lambda togai, _: (
        togai.customers.get_customers,
        "wrong",
    ),
    "pageSize must be a whole number from 1 to 100": lambda togai, _: (
        togai.accounts.get_accounts,
        None,
        500,
    ),
    "aliases[0].value: acme-prod is an alias or an account already": lambda _, kept: (
        kept.aliases.create_alias,
        sdk.CreateBulkAliasRequest(aliases=[sdk.CreateAliasRequest(value="acme-prod")]),
    ),
    "entityId: there is no account none": lambda _, kept: (
        kept.settings.insert_setting,
        sdk.Setting.from_dict(SETTING | {"entityId": "none"}),
    ),
    "Event schema api_calls exists already": lambda togai, _: (togai.schema,),
    "Customer with id acme exists already": lambda togai, _: (togai.account,),
}
WRONG_PAGES: dict[str, Attempt] = {
    "aliases": lambda _, kept: (kept.aliases.list_aliases, "wrong"),
    "settings": lambda _, kept: (kept.settings.list_setting, "wrong"),
    "reports": lambda _, kept: (kept.reports.list_reports, "wrong"),
    "schemas": lambda togai, _: (togai.schemas.list_event_schemas, None, "wrong"),
    "features": lambda togai, _: (togai.features.get_features, "wrong"),
    "meters": lambda togai, _: (
        togai.meters.get_usage_meters_for_event_schema,
        None,
        None,
        "wrong",
    ),
    "events": lambda togai, _: (togai.management.get_events, "wrong"),
}


@pytest.mark.parametrize("message", WRONG)
def test_what_makes_no_sense_is_refused_with_400(togai: Togai, kept: Clients, message: str) -> None:
    togai.account()
    togai.meter()
    operation, *arguments = WRONG[message](togai, kept)

    assert refused(400, operation, *arguments) == message


@pytest.mark.parametrize("listing", WRONG_PAGES)
def test_a_token_of_no_list_is_refused_with_400(togai: Togai, kept: Clients, listing: str) -> None:
    operation, *arguments = WRONG_PAGES[listing](togai, kept)

    assert refused(400, operation, *arguments) == "nextToken is not a token of this API"


def test_a_client_without_a_key_gets_no_token(kept: Clients) -> None:
    kept.authentication.api_client.configuration.access_token = None

    assert refused(401, kept.authentication.authenticate).startswith("Unauthorized")


def test_events_that_make_no_sense_are_refused(togai: Togai) -> None:
    event = togai.event(attributes=[{"name": "calls", "value": "5"}])
    event.account_id = ""

    single = refused(400, togai.ingestion.ingest, sdk.IngestEventRequest(event=event))
    batch = refused(400, togai.ingestion.ingest_batch, sdk.IngestBatchEventRequest(events=[event]))

    assert single == "event.accountId must have at least 1 characters"
    assert batch.endswith("events[0].accountId must have at least 1 characters")


def test_names_are_given_once_to_meters_and_features(togai: Togai) -> None:
    meter = togai.meter()
    feature = togai.feature()
    wanted = sdk.CreateUsageMeterRequest(
        name="Calls", type="COUNTER", aggregation="COUNT", event_schema_name="api_calls"
    )

    assert refused(400, togai.meters.create_usage_meter, wanted).startswith(
        f"name: usage meter {meter.id} is called Calls"
    )
    assert feature.id in refused(400, togai.feature)
