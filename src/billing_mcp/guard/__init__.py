"""What stands between a call and a write: policy, ledger, plans, approvals, audit."""
