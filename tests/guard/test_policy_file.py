"""What is wrong with a policy's file is said with its place; the example is what it says."""

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from billing_mcp.credentials import SettingsError
from billing_mcp.guard.policy import Ask, Policy, Verdict
from billing_mcp.guard.policy_file import read_rules
from billing_mcp.guard.policy_summary import explain
from guard.policies import grant, policy_of, read, write

EXAMPLE = Path(__file__).parents[2] / "policy.example.toml"
ReadText = Callable[..., Policy]


@pytest.fixture
def read_text(tmp_path: Path) -> ReadText:
    """The policy of a real file with this text."""

    def made(text: str, *, mode: int = 0o644, encoding: str = "utf-8") -> Policy:
        path = tmp_path / "policy.toml"
        path.write_text(text, encoding=encoding)
        path.chmod(mode)
        return Policy.read(path)

    return made


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[everyone\n", "is not TOML"),
        ("[evryone]\n", "evryone: there is no such key; did you mean everyone?"),
        ("xyz = 1\n", "xyz: there is no such key; known here: everyone, roles, shadow"),
        ("[roles.a]\ncielings = {}\n", "roles.a.cielings: there is no such key; did you mean ceil"),
        (
            "[roles.a.ceilings]\nper_cal = {}\n",
            "roles.a.ceilings.per_cal: there is no such key; did you mean per_call?",
        ),
        (
            "[[everyone.freeze]]\nreason = 'x'\nlast_dya = 2026-01-01\n",
            "everyone.freeze.0.last_dya: there is no such key; did you mean last_day?",
        ),
        (
            "[roles.a]\nallowed = ['grant-credits']\n",
            "roles.a.allowed.0: a tool or a toolset, not 'grant-credits'; did you mean grant-cred",
        ),
        ("[roles.a]\nexcluded = ['togai_billing']\n", "did you mean togai-billing"),
        ("[roles.a]\nneeds_plan = ['zzzz']\n", "`billing-mcp tools` lists them"),
        ("[roles.a]\nneeds_approval = [1]\n", "roles.a.needs_approval.0: a tool or a toolset"),
        ("[roles.a]\nallowed = 'core'\n", "roles.a.allowed: a list such as"),
        ("[roles.a]\nread_only = 'yes'\n", "roles.a.read_only: true or false, without quotes"),
        ("shadow = 1\n", "shadow: true or false"),
        ("[roles.a]\npurposes = ['']\n", "roles.a.purposes.0"),
        ("[roles.a]\npurposes = [1]\n", "roles.a.purposes.0: a text in quotes"),
        ("[everyone]\ndestructive = 'human'\n", "one of allowed, plan, approval, two-approvals, r"),
        ("[everyone]\ndestructive = 2\n", "everyone.destructive: one of allowed"),
        (
            "[everyone.ceilings]\nper_call = '100'\n",
            'everyone.ceilings.per_call: a table such as { USD = "100" }',
        ),
        ("[everyone.ceilings]\nper_call = {usd = 1}\n", "per_call.usd: a currency of three cap"),
        ("[everyone.ceilings]\nper_call = {OTHER = 1}\n", "per_call.OTHER: a currency of three"),
        ("[everyone.ceilings]\nper_call = {'ÜSD' = 1}\n", "a currency of three capital letters"),
        ("[everyone.ceilings]\nper_call = {USD = -1}\n", "per_call.USD: an amount from 0 to"),
        ("[everyone.ceilings]\nper_call = {USD = 1e16}\n", "per_call.USD: an amount from 0 to"),
        ("[everyone.ceilings]\nper_call = {USD = inf}\n", "per_call.USD: a finite number"),
        ("[everyone.ceilings]\nper_call = {USD = nan}\n", "per_call.USD: a finite number"),
        ("[everyone.ceilings]\nper_call = {USD = 'a lot'}\n", "per_call.USD: a plain decimal"),
        ("[everyone.ceilings]\nper_call = {USD = true}\n", "per_call.USD: a number, not true"),
        ("[everyone.ceilings]\nper_call = {USD = []}\n", "per_call.USD: an amount such as"),
        ("[[everyone.freeze]]\nlast_days_of_month = 2\n", "everyone.freeze.0.reason: Field requi"),
        ("[[everyone.freeze]]\nreason = 'x'\n", "either first_day and last_day, or"),
        ("[[everyone.freeze]]\nreason = 'x'\nfirst_day = 2026-01-01\n", "either first_day and"),
        (
            "[[everyone.freeze]]\nreason = 'x'\nlast_days_of_month = 1\nlast_day = 2026-01-01\n",
            "either first_day and last_day",
        ),
        (
            "[[everyone.freeze]]\nreason = 'x'\nfirst_day = 2026-01-02\nlast_day = 2026-01-01\n",
            "a last_day that is not before first_day",
        ),
        (
            "[[everyone.freeze]]\nreason = 'x'\nfirst_day = '2026-01-02'\nlast_day = 2026-01-03\n",
            "everyone.freeze.0.first_day: a day such as 2026-12-24, without quotes",
        ),
        (
            (
                "[[everyone.freeze]]\nreason = 'x'\nfirst_day = 2026-01-02T00:00:00Z\n"
                "last_day = 2026-01-03\n"
            ),
            "everyone.freeze.0.first_day: a day such as",
        ),
        (
            "[[everyone.freeze]]\nreason = 'x'\nlast_days_of_month = 28\n",
            "less than or equal to 27",
        ),
        ("[[everyone.freeze]]\nreason = 'x'\nlast_days_of_month = 0\n", "greater than or equal to"),
        ("[[everyone.freeze]]\nreason = 'x'\nlast_days_of_month = '2'\n", "a whole number"),
        ("[everyone]\nfreeze = 'always'\n", "everyone.freeze: a list of tables"),
        ("roles = []\n", "roles: a table such as"),
        ("[roles]\na = 1\n", "roles.a: a table of its own"),
    ],
)
def test_what_is_wrong_is_said_with_its_place_and_with_what_would_be_right(
    read_text: ReadText, text: str, says: str
) -> None:
    with pytest.raises(SettingsError) as refused:
        read_text(text)
    assert says in str(refused.value)
    assert "policy.toml" in str(refused.value)
    assert "pydantic" not in str(refused.value)


def test_several_mistakes_are_said_at_once_and_many_are_counted(read_text: ReadText) -> None:
    with pytest.raises(SettingsError) as refused:
        read_text("".join(f"key{number} = 1\n" for number in range(7)))
    assert str(refused.value).count("there is no such key") == 5
    assert str(refused.value).endswith("; and 2 more.")
    with pytest.raises(SettingsError) as refused:
        read_text("".join(f"key{number} = 1\n" for number in range(5)))
    assert str(refused.value).count("there is no such key") == 5
    assert "more." not in str(refused.value)


def test_a_file_that_is_absent_or_not_text_is_named(tmp_path: Path, read_text: ReadText) -> None:
    with pytest.raises(SettingsError, match=r"absent\.toml cannot be read: No such file"):
        Policy.read(tmp_path / "absent.toml")
    with pytest.raises(SettingsError, match="is not TOML"):
        read_text("[everyone]\n", encoding="utf-16")


def test_a_file_that_everyone_may_change_is_no_policy(read_text: ReadText) -> None:
    for mode in (0o646, 0o666, 0o602):
        with pytest.raises(SettingsError, match="can be changed by everyone"):
            read_text("", mode=mode)
    assert read_text("", mode=0o664).decide(write()).verdict is Verdict.ALLOWED


def test_a_policy_carries_its_path_and_the_fingerprint_of_its_bytes(
    read_text: ReadText, tmp_path: Path
) -> None:
    policy = read_text("shadow = false\n")
    assert policy.source == str(tmp_path / "policy.toml")
    assert policy.fingerprint == hashlib.sha256(b"shadow = false\n").hexdigest()
    assert policy.decide(write()).policy == policy.fingerprint


def test_amounts_are_read_exactly_however_they_are_written(read_text: ReadText) -> None:
    # As a float 100000000000000.01 would be 100000000000000.02.
    policy = read_text(
        '\ufeff[everyone]\nwithout_approval.per_customer_day.USD = "1000000000000000"\n'
        "without_approval.per_call.USD = 100000000000000.01\n"
    )
    assert policy.decide(grant("100000000000000.01")).verdict is Verdict.ALLOWED
    assert policy.decide(grant("100000000000000.011")).verdict is Verdict.APPROVAL


def test_rules_that_come_from_elsewhere_are_checked_as_a_file_is() -> None:
    assert read_rules({"read_only": True}, "The token").read_only
    with pytest.raises(SettingsError, match=r"The token is wrong at read_onyl: .* read_only\?"):
        read_rules({"read_onyl": True}, "The token")


QUIET = datetime(2026, 11, 17, 12, tzinfo=UTC)
CLOSED = datetime(2026, 11, 30, 12, tzinfo=UTC)
HOLIDAY = datetime(2026, 12, 25, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("ask", "verdict"),
    [
        (grant("50", now=QUIET), "allowed"),
        (grant("50.01", now=QUIET), "approval"),
        (grant("50", now=QUIET, customer="100.01"), "approval"),
        (grant("5000.01", now=QUIET), "refused"),
        (grant("20", "CHF", now=QUIET), "allowed"),
        (grant("20.01", "CHF", now=QUIET), "approval"),
        (grant("1000.01", "CHF", now=QUIET), "refused"),
        (grant("50", now=QUIET, purpose="A friend asked"), "refused"),
        (grant("50", now=CLOSED), "allowed"),
        (grant("50", now=HOLIDAY), "refused"),
        (grant("50", now=QUIET, customers=frozenset({"internal-audit"})), "refused"),
        (grant("1000", now=QUIET, role="finance", purpose="Contract"), "allowed"),
        (grant("1000.01", now=QUIET, role="finance", purpose="Contract"), "approval"),
        (grant("1000", now=QUIET, role="finance", role_spent="19000.01"), "refused"),
        (grant("1", now=QUIET, role="analyst"), "refused"),
        (grant("1", now=QUIET, role="intern"), "refused"),
        (read("get-billable-metric", role="intern"), "allowed"),
        (read("get-billable-metric", role="support"), "refused"),
        (write("create-price-plan", now=QUIET), "refused"),
        (write("create-price-plan", now=QUIET, role="finance"), "approval"),
        (write("void-feature-credits-entry-feature", now=QUIET), "plan"),
        (
            write("void-feature-credits-entry-feature", now=QUIET, destructive=True),
            "approval",
        ),
        (write("retry-usagerecordgroup", now=CLOSED, role="finance"), "approval"),
        (write("retry-usagerecordgroup", now=QUIET, role="finance"), "allowed"),
        (write("update-usage-metering-config-info", now=QUIET, role="finance"), "two-approvals"),
    ],
)
def test_the_example_decides_as_its_comments_say(ask: Ask, verdict: str) -> None:
    assert Policy.read(EXAMPLE).decide(ask).verdict.word == verdict


def test_the_doctor_is_told_every_rule_in_a_sentence() -> None:
    assert explain(Policy.default()) == [
        "No policy file (BILLING_MCP_POLICY): what is built in holds.",
        "built-in, where no table has its own: destructive writes: approval",
        (
            "built-in, where no table has its own: up to 100 of any currency a call; above, a "
            "person approves a plan"
        ),
        (
            "built-in, where no table has its own: up to 500 of any currency a customer and UTC "
            "day; above, a person approves a plan"
        ),
    ]
    policy = policy_of("""
        shadow = true
        [everyone]
        shadow = true
        read_only = true
        excluded = ["grant-credit"]
        purposes = []
        customers_off_limits = ["internal-*"]
        needs_plan = ["create-account"]
        needs_approval = ["create-customer"]
        needs_two_approvals = ["create-price-plan"]
        [[everyone.freeze]]
        reason = "close"
        first_days_of_month = 1
        last_days_of_month = 3
        tools = ["suger-metering"]
        meanwhile = "plan"
        [[everyone.freeze]]
        reason = "holidays"
        first_day = 2026-12-24
        last_day = 2027-01-01
        [roles.lead]
        allowed = ["core"]
        ceilings.per_role_day = { USD = "12.50", other = 7 }
        ceilings.per_call = {}
    """).tightened(read_rules({"read_only": True}, "token"), "token")
    said = [sentence for sentence in explain(policy) if not sentence.startswith("built-in")]
    assert said == [
        "Policy policy.toml, SHA-256 ffffffffffff.",
        "Shadow mode: its rules are only told, and what is built in holds.",
        "everyone: in shadow mode, its rules are only told",
        "everyone: may only read",
        "everyone: may not use grant-credit",
        "everyone: create-account: a plan first",
        "everyone: create-customer: a plan that a person approves",
        "everyone: create-price-plan: a plan that two people approve",
        "everyone: money only for nothing",
        "everyone: may not touch internal-*",
        (
            "everyone: suger-metering need plan on the first day and the last 3 days of a month "
            "(UTC): close"
        ),
        "everyone: writes refused from 2026-12-24 to 2027-01-01 (UTC): holidays",
        "roles.lead: may use core",
        "roles.lead: up to nothing a call; above, refused",
        "roles.lead: up to 12.50 USD, 7 of any other currency a role and UTC day; above, refused",
        "token: may only read",
        "A caller whose role is not named may only read.",
    ]
