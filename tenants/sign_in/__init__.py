"""How people sign in: with their company's account, through OpenID Connect."""
