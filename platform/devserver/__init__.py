"""The embedded Postgres and Valkey, and the processes of a run on one machine; development only."""
