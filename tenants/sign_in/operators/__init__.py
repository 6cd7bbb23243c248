"""Sign-in of operators: to the console, and to try a provider."""
