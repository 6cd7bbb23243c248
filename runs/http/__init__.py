"""The parts of http_action: its config, the request, the exchange, the answer, pages."""
