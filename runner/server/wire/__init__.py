"""Wire: what the faces of all APIs share: the routes of a resource, reading bodies, forms and queries, answering.

Belongs here: what two APIs have in common to the letter. Doesn't: an API's own words (`faces/`), rules (`engine/`).
"""
