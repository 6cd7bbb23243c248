"""Sign-in of operators to the console by password."""
