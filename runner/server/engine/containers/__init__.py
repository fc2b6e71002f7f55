"""Containers: where code runs, the files that it finds there and those that it writes."""
