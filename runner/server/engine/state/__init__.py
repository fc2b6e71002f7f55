"""State: what is kept (records), how (one database, files on disk), for how long, and how a refusal is told."""
