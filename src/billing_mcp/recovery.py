"""What a crash or a lost answer has left open, decided at the start and when somebody looks."""

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from billing_mcp import errors
from billing_mcp.guard import reconcile
from billing_mcp.guard.ledger import LedgerError
from billing_mcp.guard.operations import OPEN, Filters, Listing, Operation
from billing_mcp.guard.reconcile import Question, Recovery
from billing_mcp.ledgers import told
from billing_mcp.tenants import Tenant

if TYPE_CHECKING:
    from billing_mcp.guard.gate import Gate

logger = logging.getLogger(__name__)

QuestionOf = Callable[[Operation, Tenant], Question | None]


async def decided(question_of: QuestionOf, tenant: Tenant, operation_id: str) -> Operation | None:
    """An operation; when nobody holds it and nobody knows its end, the vendor is asked first.

    Raises our errors.
    """
    with told():
        found = await tenant.ledgers.find(operation_id)
        if found is None:
            return None
        gate, operation = found
        if operation.state not in OPEN or operation.is_leased(tenant.now()):
            return operation
        question = question_of(operation, tenant)
        if question is None:
            return operation
        return await reconcile.decide(gate.ledger, operation.key, question, gate.timing)


async def listed(tenant: Tenant, filters: Filters, size: int, after: str | None) -> Listing:
    """Raises our errors, and `ValueError` for an `after` that no page gave."""
    with told():
        return await tenant.ledgers.list(filters, size, after)


async def recover(question_of: QuestionOf, tenant: Tenant) -> None:
    """Decide what earlier runs of this server left open, and forget what is too old to keep.

    It runs beside the calls and never fails them: what goes wrong is logged, and the rows stay as
    they are until somebody asks for them.
    """
    for environment in tenant.ledgers.environments:
        if not tenant.ledgers.may_hold_something(environment):
            continue
        try:
            gate = await tenant.ledgers.gate(environment)
            await tenant.ledgers.purge(environment)
            await _recovery(question_of, tenant, gate).run()
        except (errors.BillingError, LedgerError) as error:
            logger.warning("operations of %s were not recovered: %s", tenant.name, error)


def _recovery(question_of: QuestionOf, tenant: Tenant, gate: "Gate") -> Recovery:
    def question(operation: Operation) -> Question | None:
        return question_of(operation, tenant)

    return Recovery(gate.ledger, gate.partition, gate.timing, question)
