"""Sign-in of people with their company's account, through OpenID Connect."""
