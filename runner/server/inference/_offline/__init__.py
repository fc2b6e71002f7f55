"""The parts of the inference `offline`: pure functions from a conversation and what tools found to the next move.

Belongs here: reading questions, priced lines and passages, and the sentences of answers. Doesn't: calling tools.
"""
