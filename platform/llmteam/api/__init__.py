"""Parts that every route of the API shares: authentication, content, errors, description."""
