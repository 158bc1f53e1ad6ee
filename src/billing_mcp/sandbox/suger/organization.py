"""The one organization the sandbox's Suger has, and the routes below it."""

from collections.abc import Callable
from functools import wraps

from billing_mcp.sandbox.call import Call, Handler, Refusal, Reply, Resource

ORGANIZATION = "sandbox"


class OrganizationResource(Resource):
    """Routes under `/org/{orgId}`; any other organization than the sandbox's answers 404."""

    def route(self, method: str, path: str) -> Callable[[Handler], Handler]:
        record = super().route(method, path)

        def guard(handler: Handler) -> Handler:
            @wraps(handler)
            def guarded(call: Call) -> Reply:
                if call.path["orgId"] != ORGANIZATION:
                    raise Refusal(
                        404,
                        f"organization {call.path['orgId']} not found;"
                        f" the sandbox has one organization: {ORGANIZATION}",
                    )
                return handler(call)

            record(guarded)
            return handler

        return guard
