"""Wire: what the faces of all APIs share: reading bodies, forms and queries, answering, errors.

Belongs here: what two APIs have in common to the letter. Doesn't: an API's own words (`faces/`), rules (`engine/`).
"""
