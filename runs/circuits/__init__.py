"""Circuit breakers: one for each tenant and host, shared by all workers."""
