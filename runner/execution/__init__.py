"""Playing: scenarios through the thread-and-run cycle, side by side, judged and cleaned up.

`play` in `play.py` is the way in. Not here: what a check means (`checks/`), what sync would change (`sync/`), how
results look (`reporting/`), signals and exit codes (`cli/`).
"""
