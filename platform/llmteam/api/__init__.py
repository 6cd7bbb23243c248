"""How every route speaks: who calls, what is read, how errors and pages look."""
