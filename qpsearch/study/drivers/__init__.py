"""The drivers of a study: leases, transactions in one order, the shared budget."""
