"""What comes from outside: one walker, one watched pool, one memory, one list of reasons."""
