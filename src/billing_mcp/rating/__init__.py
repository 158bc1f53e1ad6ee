"""Pure pricing: cycles, meters, rate cards, credits, commitments, and the invoice they make."""
